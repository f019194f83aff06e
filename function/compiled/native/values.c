/* Texts that come as the values of their columns, as Forest and Kernels take them. See native.h. */

#include "native.h"

/* Add what each text comes to, whose values are a line of `lines`, to its scores in `totals`. */
PyObject *add_lines(void *self, PyObject *arguments, size_t scores, AddLine add)
{
    PyObject *lines, *totals;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyList_Type, &lines, &PyByteArray_Type, &totals))
        return NULL;
    size_t texts = (size_t)PyList_Size(lines), size = (size_t)PyByteArray_Size(totals);
    if (size / sizeof(double) / scores < texts)
        return PyErr_Format(PyExc_ValueError, "no room for the scores of %zu texts", texts);
    double *own = (double *)(void *)PyByteArray_AsString(totals);
    for (size_t at = 0; at < texts; at++, own += scores) {
        PyObject *line = PyList_GetItem(lines, (Py_ssize_t)at);
        Py_ssize_t length = PyBytes_Size(line);
        if (length < 0) return NULL;
        const byte *bytes = (const byte *)PyBytes_AsString(line);
        if (!add(self, bytes, (size_t)length / sizeof(Value), own))
            return PyErr_Format(PyExc_ValueError, "a value of a column that there is not");
    }
    return Py_NewRef(Py_None);
}
