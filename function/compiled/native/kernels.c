/* A text beside each of a model's support vectors: kernels.py, step by step. See native.h.

The vectors' numbers come by vector and are kept by column, so that a text meets only the vectors
that share a term with it. `Kernels_new` sees that the parts are as long as they say and that every
column is one of `columns`; scratch space has an entry for each vector. */

#include "native.h"

#define LARGEST_KERNEL 1e150 /* kernels.py's */

typedef enum { RBF, POLY, SIGMOID } Kernel;

typedef struct {
    PyObject_HEAD
    Kernel kernel;
    double gamma, offset;
    int degree;
    PyObject *coefficients;          /* bytes, read in place */
    uint32_t classes, *counts;       /* of each class's vectors */
    size_t vectors, columns, scores;
    size_t *starts;                  /* of each column's numbers, and where one more would start */
    uint32_t *owners;                /* of each number, its vector */
    double *numbers, *squares;       /* in the columns' order; of each vector, its length squared */
    byte *is_ignored;                /* of each column */
    double *products;                /* scratch, of each vector */
} Kernels;

/* Move the numbers to their columns; false where a column is none, or the lengths are others. */
static int sort_numbers(Kernels *self, const byte *lengths, const byte *columns,
                        const byte *values, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        uint32_t column = load_number(columns, at);
        if (column >= self->columns) return 0;
        self->starts[column + 1]++;
    }
    for (size_t column = 0; column < self->columns; column++)
        self->starts[column + 1] += self->starts[column];
    size_t place = 0;
    for (size_t vector = 0; vector < self->vectors; vector++) {
        size_t length = load_number(lengths, vector);
        if (length > count - place) return 0;
        for (size_t end = place + length; place < end; place++) {
            size_t to = self->starts[load_number(columns, place)]++;
            double own = self->numbers[to] = load_double(values, place);
            self->owners[to] = (uint32_t)vector;
            self->squares[vector] += own * own;
        }
    }
    for (size_t column = self->columns; column > 0; column--) /* each has come to the next's */
        self->starts[column] = self->starts[column - 1];
    self->starts[0] = 0;
    return place == count;
}

static int ignore(Kernels *self, PyObject *ignored)
{
    const byte *bytes = (const byte *)PyBytes_AsString(ignored);
    size_t count = (size_t)PyBytes_Size(ignored) / sizeof(uint32_t);
    for (size_t at = 0; at < count; at++) {
        uint32_t column = load_number(bytes, at);
        if (column >= self->columns) return 0;
        self->is_ignored[column] = 1;
    }
    return 1;
}

static int take_counts(Kernels *self, PyObject *counts)
{
    self->classes = (uint32_t)(PyBytes_Size(counts) / (Py_ssize_t)sizeof(uint32_t));
    self->counts = PyMem_Calloc(self->classes + 1, sizeof *self->counts);
    if (self->counts == NULL) return 0;
    const byte *bytes = (const byte *)PyBytes_AsString(counts);
    for (uint32_t at = 0; at < self->classes; at++) {
        self->counts[at] = load_number(bytes, at);
        self->vectors += self->counts[at];
    }
    self->scores = (size_t)self->classes * (self->classes - 1) / 2;
    return 1;
}

/* False with an error set. */
static int fill(Kernels *self, PyObject *lengths, PyObject *columns, PyObject *values,
                PyObject *ignored)
{
    size_t count = (size_t)PyBytes_Size(columns) / sizeof(uint32_t), own = self->vectors;
    size_t coefficients = (size_t)PyBytes_Size(self->coefficients) / sizeof(double);
    if (self->classes < 2 || (size_t)PyBytes_Size(lengths) / sizeof(uint32_t) != own
        || (size_t)PyBytes_Size(values) / sizeof(double) != count
        || coefficients != own * (self->classes - 1)) {
        PyErr_SetString(PyExc_ValueError, "support vectors of other sizes");
        return 0;
    }
    self->starts = PyMem_Calloc(self->columns + 2, sizeof *self->starts);
    self->owners = PyMem_Calloc(count + 1, sizeof *self->owners);
    self->numbers = PyMem_Calloc(count + 1, sizeof *self->numbers);
    self->squares = PyMem_Calloc(own + 1, sizeof *self->squares);
    self->products = PyMem_Calloc(own + 1, sizeof *self->products);
    self->is_ignored = PyMem_Calloc(self->columns + 1, sizeof *self->is_ignored);
    if (!self->starts || !self->owners || !self->numbers || !self->squares || !self->products
        || !self->is_ignored) {
        PyErr_NoMemory();
        return 0;
    }
    if (sort_numbers(self, (const byte *)PyBytes_AsString(lengths),
                     (const byte *)PyBytes_AsString(columns),
                     (const byte *)PyBytes_AsString(values), count)
        && ignore(self, ignored))
        return 1;
    PyErr_SetString(PyExc_ValueError, "a support vector of columns that there are not");
    return 0;
}

static PyObject *Kernels_new(PyTypeObject *type, PyObject *arguments, PyObject *named)
{
    static char *names[] = {"kernel",  "gamma",  "degree", "offset", "counts",       "lengths",
                            "columns", "values", "coefficients", "ignored", "width", NULL};
    PyObject *counts, *lengths, *columns, *values, *coefficients, *ignored;
    const char *kernel;
    double gamma, offset;
    int degree;
    Py_ssize_t width;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "sdidSSSSSSn", names, &kernel, &gamma, &degree,
                                     &offset, &counts, &lengths, &columns, &values, &coefficients,
                                     &ignored, &width))
        return NULL;
    if (width < 0) return PyErr_Format(PyExc_ValueError, "%zd columns", width);
    Kernels *self = (Kernels *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->kernel = strcmp(kernel, "rbf") == 0 ? RBF : strcmp(kernel, "poly") == 0 ? POLY : SIGMOID;
    self->gamma = gamma, self->offset = offset, self->degree = degree;
    self->columns = (size_t)width;
    self->coefficients = Py_NewRef(coefficients);
    if (!take_counts(self, counts)) PyErr_NoMemory();
    else if (fill(self, lengths, columns, values, ignored)) return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

/* svm.cpp's, by squaring. */
static double power(double base, int times)
{
    double found = 1.0;
    for (; times > 0; times /= 2, base *= base)
        if (times % 2 == 1) found *= base;
    return found;
}

static double kernel_of(const Kernels *self, double square, size_t vector)
{
    double product = self->products[vector], found;
    if (self->kernel == RBF)
        found = exp(-self->gamma * (square + self->squares[vector] - 2.0 * product));
    else {
        double scaled = self->gamma * product + self->offset;
        found = self->kernel == POLY ? power(scaled, self->degree) : tanh(scaled);
    }
    return fabs(found) <= LARGEST_KERNEL ? found : 0.0;
}

/* Set each vector's product to its kernel; false for a column that there is not. */
static int multiply(Kernels *self, const byte *line, size_t count)
{
    double square = 0.0;
    for (size_t vector = 0; vector < self->vectors; vector++) self->products[vector] = 0.0;
    for (size_t at = 0; at < count; at++) {
        Value own;
        memcpy(&own, line + at * sizeof own, sizeof own);
        if (own.column >= self->columns) return 0;
        if (self->is_ignored[own.column]) continue;
        square += own.value * own.value;
        for (size_t to = self->starts[own.column]; to < self->starts[own.column + 1]; to++)
            self->products[self->owners[to]] += own.value * self->numbers[to];
    }
    for (size_t vector = 0; vector < self->vectors; vector++)
        self->products[vector] = kernel_of(self, square, vector);
    return 1;
}

/* The sum over one class's vectors, from `start` on, each as often as it weighs against another. */
static double add_class(const Kernels *self, double total, size_t start, size_t whose, size_t row)
{
    const byte *own = (const byte *)PyBytes_AsString(self->coefficients)
                      + row * self->vectors * sizeof(double);
    for (size_t vector = start; vector < start + self->counts[whose]; vector++)
        total += load_double(own, vector) * self->products[vector];
    return total;
}

static void add_pairs_up(const Kernels *self, double *totals)
{
    size_t first = 0;
    for (size_t one = 0; one < self->classes; first += self->counts[one++]) {
        size_t second = first + self->counts[one];
        for (size_t other = one + 1; other < self->classes; second += self->counts[other++]) {
            double total = add_class(self, 0.0, first, one, other - 1);
            *totals++ -= add_class(self, total, second, other, one);
        }
    }
}

static int add_line(void *kernels, const byte *line, size_t count, double *scores)
{
    Kernels *self = kernels;
    int is_sound = multiply(self, line, count);
    if (is_sound) add_pairs_up(self, scores);
    return is_sound;
}

static PyObject *add_up(Kernels *self, PyObject *arguments)
{
    return add_lines(self, arguments, self->scores, add_line);
}

static void dealloc(Kernels *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyMem_Free(self->counts);
    PyMem_Free(self->starts);
    PyMem_Free(self->owners);
    PyMem_Free(self->numbers);
    PyMem_Free(self->squares);
    PyMem_Free(self->products);
    PyMem_Free(self->is_ignored);
    Py_XDECREF(self->coefficients);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add_up", (PyCFunction)add_up, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int add_kernels(PyObject *module)
{
    return add_type(module, "function.compiled._native.Kernels", sizeof(Kernels), Kernels_new,
                    (destructor)dealloc, methods);
}
