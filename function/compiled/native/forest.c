/* A text's way through decision trees: forest.py, step by step. See native.h and forest.py, which
has what the parts are.

All parts are checked once, in `Forest_new`: a node's two ways lead on, to later nodes of its own
tree, so a walk ends; a feature is one of `width`, for each of which the scratch space has a value;
and a leaf's numbers, as many as its tree adds to, are among the values. */

#include "native.h"

#define LEAF UINT32_MAX

typedef struct {
    double threshold;
    uint32_t feature, other; /* of a leaf, LEAF and where its numbers are */
} Node;

typedef struct {
    uint32_t root, first, count; /* its numbers are added to `count` scores from `first` on */
} Tree;

typedef struct {
    PyObject_HEAD
    PyObject *parts; /* a tuple of what is read in place */
    const byte *trees, *nodes, *values, *starts;
    size_t tree_count, node_count, value_count, scores, columns;
    size_t width; /* the columns, and where they may be missing again, with their signs turned */
    int is_single, has_single_sums;
    double absent;   /* what a column is worth that a text has not */
    double *scratch; /* of each of the width; `absent` between texts */
    double *sums;    /* of one text */
} Forest;

static inline Node node_at(const Forest *self, size_t place)
{
    Node node;
    memcpy(&node, self->nodes + place * sizeof node, sizeof node);
    return node;
}

static inline Tree tree_at(const Forest *self, size_t place)
{
    Tree tree;
    memcpy(&tree, self->trees + place * sizeof tree, sizeof tree);
    return tree;
}

/* Whether a node's ways lead on within its tree, or it is a leaf with numbers. */
static int is_node_sound(const Forest *self, const Tree *tree, size_t place, size_t end)
{
    Node node = node_at(self, place);
    if (node.feature == LEAF)
        return (size_t)node.other + tree->count <= self->value_count;
    return node.feature < self->width && place + 1 < end && node.other > place + 1
        && node.other < end && isfinite(node.threshold);
}

static int are_sound_trees(const Forest *self)
{
    size_t before = 0;
    for (size_t at = 0; at < self->tree_count; at++) {
        Tree tree = tree_at(self, at);
        size_t end = at + 1 < self->tree_count ? tree_at(self, at + 1).root : self->node_count;
        if (tree.root != before || end <= tree.root || end > self->node_count) return 0;
        if ((size_t)tree.first + tree.count > self->scores) return 0;
        for (size_t place = tree.root; place < end; place++)
            if (!is_node_sound(self, &tree, place, end)) return 0;
        before = end;
    }
    return before == self->node_count;
}

static int take_part(PyObject *part, size_t item, const byte **bytes, size_t *count)
{
    Py_ssize_t size = PyBytes_Size(part);
    if (size < 0) return 0;
    *bytes = (const byte *)PyBytes_AsString(part);
    *count = (size_t)size / item;
    if ((size_t)size % item == 0 && *count < UINT32_MAX) return 1;
    PyErr_Format(PyExc_ValueError, "%zd bytes are not numbers of a forest", size);
    return 0;
}

static PyObject *Forest_new(PyTypeObject *type, PyObject *arguments, PyObject *named)
{
    static char *names[] = {"trees", "nodes", "values", "starts",
                            "columns", "single", "missing", "single_sums", NULL};
    PyObject *trees, *nodes, *values, *starts;
    Py_ssize_t columns;
    int is_single, may_miss, has_single_sums;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "SSSSnppp", names, &trees, &nodes, &values,
                                     &starts, &columns, &is_single, &may_miss, &has_single_sums))
        return NULL;
    Forest *self = (Forest *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->is_single = is_single;
    self->has_single_sums = has_single_sums;
    self->absent = may_miss ? NAN : 0.0;
    self->columns = (size_t)columns;
    self->width = may_miss ? 2 * self->columns : self->columns;
    self->parts = PyTuple_Pack(4, trees, nodes, values, starts);
    if (self->parts == NULL
        || !take_part(trees, sizeof(Tree), &self->trees, &self->tree_count)
        || !take_part(nodes, sizeof(Node), &self->nodes, &self->node_count)
        || !take_part(values, sizeof(double), &self->values, &self->value_count)
        || !take_part(starts, sizeof(double), &self->starts, &self->scores))
        goto failed;
    if (columns < 0 || columns > UINT32_MAX || self->scores == 0 || !are_sound_trees(self)) {
        PyErr_SetString(PyExc_ValueError, "trees with ways that lead nowhere");
        goto failed;
    }
    self->scratch = PyMem_Malloc((self->width + 1) * sizeof *self->scratch);
    self->sums = PyMem_Calloc(self->scores, sizeof *self->sums);
    for (size_t at = 0; self->scratch != NULL && at < self->width; at++)
        self->scratch[at] = self->absent;
    if (self->scratch != NULL && self->sums != NULL) return (PyObject *)self;
    PyErr_NoMemory();
failed:
    Py_DECREF(self);
    return NULL;
}

static size_t leaf_of(const Forest *self, size_t root)
{
    Node node = node_at(self, root);
    for (size_t place = root; node.feature != LEAF; node = node_at(self, place))
        place = self->scratch[node.feature] <= node.threshold ? place + 1 : node.other;
    return node.other;
}

static inline double rounded(const Forest *self, double sum)
{
    return self->has_single_sums ? (double)(float)sum : sum;
}

static void walk(Forest *self)
{
    for (size_t at = 0; at < self->scores; at++)
        self->sums[at] = rounded(self, load_double(self->starts, at));
    for (size_t at = 0; at < self->tree_count; at++) {
        Tree tree = tree_at(self, at);
        size_t leaf = leaf_of(self, tree.root);
        double *sums = self->sums + tree.first;
        for (size_t own = 0; own < tree.count; own++)
            sums[own] = rounded(self, sums[own] + load_double(self->values, leaf + own));
    }
}

/* Set each column of the line to its value, or back to `absent`; false for a column there is not. */
static int lay_out(Forest *self, const byte *line, size_t count, int is_set)
{
    for (size_t at = 0; at < count; at++) {
        Value own;
        memcpy(&own, line + at * sizeof own, sizeof own);
        if (own.column >= self->columns) return 0;
        double value = self->is_single ? (double)(float)own.value : own.value;
        self->scratch[own.column] = is_set ? value : self->absent;
        if (self->width > self->columns)
            self->scratch[self->columns + own.column] = is_set ? -value : self->absent;
    }
    return 1;
}

static int add_line(void *forest, const byte *line, size_t count, double *scores)
{
    Forest *self = forest;
    int is_sound = lay_out(self, line, count, 1);
    if (is_sound) walk(self);
    lay_out(self, line, count, 0);
    for (size_t at = 0; is_sound && at < self->scores; at++) scores[at] += self->sums[at];
    return is_sound;
}

static PyObject *add_up(Forest *self, PyObject *arguments)
{
    return add_lines(self, arguments, self->scores, add_line);
}

static void dealloc(Forest *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyMem_Free(self->scratch);
    PyMem_Free(self->sums);
    Py_XDECREF(self->parts);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add_up", (PyCFunction)add_up, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int add_forest(PyObject *module)
{
    return add_type(module, "function.compiled._native.Forest", sizeof(Forest), Forest_new,
                    (destructor)dealloc, methods);
}
