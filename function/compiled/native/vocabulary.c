/* What both vocabularies are in Python. See native.h. */

#include "native.h"
#include <stddef.h>

int make_space(Vocabulary *self)
{
    size_t rows = (size_t)self->rows.count + 1;
    self->columns = PyMem_Calloc(rows, sizeof *self->columns);
    self->occurrences = PyMem_Calloc(rows, sizeof *self->occurrences);
    self->found = PyMem_Calloc(rows, sizeof *self->found);
    self->ranked = PyMem_Calloc(rows, sizeof *self->ranked);
    self->spare = PyMem_Calloc(rows, sizeof *self->spare);
    self->values = PyMem_Calloc(rows, sizeof *self->values);
    if (!self->columns || !self->occurrences || !self->found || !self->ranked || !self->spare
        || !self->values) {
        PyErr_NoMemory();
        return 0;
    }
    for (uint32_t row = 0; row < self->rows.count; row++) {
        uint32_t column = self->columns[row] = column_of(&self->rows, row);
        if (column == UINT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "a row of no column");
            return 0;
        }
        if (column >= self->column_limit) self->column_limit = column + 1;
    }
    return 1;
}

static PyObject *is_sound(Vocabulary *self, PyObject *arguments)
{
    Py_ssize_t columns, squares;
    if (!PyArg_ParseTuple(arguments, "nn", &columns, &squares)) return NULL;
    if (self->packed == NULL) return PyErr_Format(PyExc_ValueError, "the rows are let go");
    if (columns < 0 || squares < 0) return Py_NewRef(Py_False);
    return PyBool_FromLong(are_sound(&self->rows, (uint64_t)columns, (size_t)squares));
}

static PyObject *let_rows_go(Vocabulary *self, PyObject *nothing)
{
    (void)nothing;
    self->rows.bytes = NULL;
    Py_CLEAR(self->packed);
    return Py_NewRef(Py_None);
}

/* Take over what terms are worth, instead of what they were before. */
static PyObject *weigh(Vocabulary *self, PyObject *arguments)
{
    PyObject *table, *threshold;
    Py_ssize_t scores;
    Weights weights = {0};
    const char *norm;
    if (!PyArg_ParseTuple(arguments, "SnppzdO", &table, &scores, &weights.is_binary,
                          &weights.is_sublinear, &norm, &weights.scale, &threshold))
        return NULL;
    weights.is_binarized = !Py_IsNone(threshold);
    weights.threshold = weights.is_binarized ? PyFloat_AsDouble(threshold) : 0.0;
    if (PyErr_Occurred()) return NULL;
    weights.norm = norm == NULL ? NO_NORM : strcmp(norm, "l1") == 0 ? L1 : L2;
    if (weights.norm == L2 && strcmp(norm, "l2") != 0)
        return PyErr_Format(PyExc_ValueError, "no norm is called %s", norm);
    Py_ssize_t line = scores < 0 || scores > 1 << 24 ? 0 : (1 + scores) * 8;
    if (line == 0 || PyBytes_Size(table) / line < (Py_ssize_t)self->column_limit)
        return PyErr_Format(PyExc_ValueError, "a table of %zd bytes for %lu columns and %zd scores",
                            PyBytes_Size(table), (unsigned long)self->column_limit, scores);
    weights.scores = (size_t)scores;
    weights.table = Py_NewRef(table);
    PyObject *before = self->weights.table;
    self->weights = weights;
    Py_XDECREF(before);
    return Py_NewRef(Py_None);
}

/* Where a text's scores are added to; NULL where `totals` has no room for them, or terms are worth
nothing yet. */
static double *scores_of(const Vocabulary *self, PyObject *totals, Py_ssize_t text)
{
    size_t line = self->weights.scores * sizeof(double), size = (size_t)PyByteArray_Size(totals);
    if (self->weights.table == NULL || ((size_t)text + 1) * line > size) return NULL;
    return (double *)(void *)(PyByteArray_AsString(totals) + (size_t)text * line);
}

/* Add each text's part to its scores, one after the other in `totals`. */
static PyObject *add_up(Vocabulary *self, PyObject *arguments)
{
    PyObject *texts, *totals;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyList_Type, &texts, &PyByteArray_Type, &totals))
        return NULL;
    for (Py_ssize_t at = 0; at < PyList_Size(texts); at++) {
        if (!self->find(self, PyList_GetItem(texts, at))) return NULL;
        double *scores = scores_of(self, totals, at);
        if (scores == NULL) {
            rank(self); /* which empties the scratch space */
            return PyErr_Format(PyExc_ValueError, "no room for the scores of so many texts");
        }
        add_scores(self, scores);
    }
    return Py_NewRef(Py_None);
}

/* What a text's columns are worth: a Value for each, ascending, the first column being `start`. */
static PyObject *line_of(Vocabulary *self, PyObject *text, uint64_t start)
{
    if (!self->find(self, text)) return NULL;
    size_t count = evaluate(self);
    PyObject *line = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof(Value)));
    char *into = line == NULL ? NULL : PyBytes_AsString(line);
    for (size_t at = 0; into != NULL && at < count; at++) {
        Value own = {start + (self->ranked[at] >> 32), self->values[at]};
        memcpy(into + at * sizeof own, &own, sizeof own);
    }
    return line;
}

/* Each text's line, one after the other. */
static PyObject *values(Vocabulary *self, PyObject *arguments)
{
    PyObject *texts;
    Py_ssize_t start;
    if (!PyArg_ParseTuple(arguments, "O!n", &PyList_Type, &texts, &start)) return NULL;
    if (self->weights.table == NULL)
        return PyErr_Format(PyExc_ValueError, "terms are worth nothing yet");
    PyObject *lines = PyList_New(0);
    for (Py_ssize_t at = 0; lines != NULL && at < PyList_Size(texts); at++) {
        PyObject *line = line_of(self, PyList_GetItem(texts, at), (uint64_t)start);
        if (line == NULL || PyList_Append(lines, line) < 0) Py_CLEAR(lines);
        Py_XDECREF(line);
    }
    return lines;
}

static PyObject *no_rows(void)
{
    return PyErr_Format(PyExc_ValueError, "hashed terms have no rows");
}

static PyObject *repeated(const uint64_t *ranked, size_t count)
{
    PyObject *columns = PyList_New(0);
    for (size_t at = 0; columns != NULL && at < count; at++) {
        PyObject *column = PyLong_FromUnsignedLongLong(ranked[at] >> 32);
        uint32_t times = column == NULL ? 0 : (uint32_t)ranked[at];
        int failed = column == NULL;
        for (; times > 0 && !failed; times--) failed = PyList_Append(columns, column) < 0;
        Py_XDECREF(column);
        if (failed) Py_CLEAR(columns);
    }
    return columns;
}

/* The columns of a text's terms, ascending, repeats included. */
static PyObject *columns(Vocabulary *self, PyObject *text)
{
    if (self->features > 0) return no_rows();
    uint64_t met = self->met, unknown = self->unknown;
    int has_found = self->find(self, text);
    self->met = met, self->unknown = unknown; /* add_up has counted them */
    if (!has_found) return NULL;
    size_t count = rank(self);
    uint64_t *ranked = PyMem_Malloc((count + 1) * sizeof *ranked);
    if (ranked == NULL) return PyErr_NoMemory();
    memcpy(ranked, self->ranked, count * sizeof *ranked);
    PyObject *found = repeated(ranked, count);
    PyMem_Free(ranked);
    return found;
}

/* The column of a term: of a Pairs', of a word. None where it is not known. */
static PyObject *column(Vocabulary *self, PyObject *term)
{
    Text text;
    if (self->features > 0) return no_rows();
    if (!open_text(term, &text)) return NULL;
    uint32_t found = find_term(&self->terms, text.bytes, text.size, hash_of(text.bytes, text.size));
    close_text(&text);
    if (found >= self->rows.alone) return Py_NewRef(Py_None);
    return PyLong_FromUnsignedLong(self->columns[found]);
}

static PyObject *terms_met(Vocabulary *self, PyObject *nothing)
{
    (void)nothing;
    return Py_BuildValue("(KK)", (unsigned long long)self->met, (unsigned long long)self->unknown);
}

static void dealloc(Vocabulary *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    close_table(&self->terms);
    close_table(&self->ignored);
    PyMem_Free(self->columns);
    PyMem_Free(self->occurrences);
    PyMem_Free(self->found);
    PyMem_Free(self->ranked);
    PyMem_Free(self->spare);
    PyMem_Free(self->values);
    PyMem_Free(self->pair_slots);
    Py_XDECREF(self->weights.table);
    Py_XDECREF(self->packed);
    Py_XDECREF(self->files);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"is_sound", (PyCFunction)is_sound, METH_VARARGS, NULL},
    {"let_rows_go", (PyCFunction)let_rows_go, METH_NOARGS, NULL},
    {"weigh", (PyCFunction)weigh, METH_VARARGS, NULL},
    {"add_up", (PyCFunction)add_up, METH_VARARGS, NULL},
    {"values", (PyCFunction)values, METH_VARARGS, NULL},
    {"columns", (PyCFunction)columns, METH_O, NULL},
    {"column", (PyCFunction)column, METH_O, NULL},
    {"terms_met", (PyCFunction)terms_met, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int add_vocabulary(PyObject *module, const char *name, newfunc make)
{
    return add_type(module, name, sizeof(Vocabulary), make, (destructor)dealloc, methods);
}
