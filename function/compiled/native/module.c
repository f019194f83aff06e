/* The module `_native`, which native.py alone imports. See native.h. */

#include "native.h"

/* The largest magnitude among doubles; not a number where one of them is not. */
static PyObject *largest(PyObject *module, PyObject *doubles)
{
    (void)module;
    Py_ssize_t size = PyBytes_Size(doubles);
    if (size < 0) return NULL;
    const char *at = PyBytes_AsString(doubles), *end = at + size / sizeof(double) * sizeof(double);
    double found = 0.0, number;
    for (; at < end; at += sizeof number) {
        memcpy(&number, at, sizeof number);
        number = fabs(number);
        if (!(number <= found)) found = number;
        if (isnan(found)) break;
    }
    return PyFloat_FromDouble(found);
}

int place_of(const char *name, const char *const *names, int count, const char *what)
{
    for (int at = 0; at < count; at++)
        if (strcmp(name, names[at]) == 0) return at;
    PyErr_Format(PyExc_ValueError, "unknown %s %s", what, name);
    return -1;
}

int add_type(PyObject *module, const char *name, size_t size, newfunc make, destructor end,
             PyMethodDef *methods)
{
    PyType_Slot slots[] = {
        {Py_tp_new, (void *)make},
        {Py_tp_dealloc, (void *)end},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    PyType_Spec spec = {name, (int)size, 0, Py_TPFLAGS_DEFAULT, slots};
    PyObject *type = PyType_FromSpec(&spec);
    int added = type != NULL && PyModule_AddObjectRef(module, strrchr(name, '.') + 1, type) == 0;
    Py_XDECREF(type);
    return added;
}

static PyMethodDef functions[] = {
    {"decide", decide, METH_VARARGS, NULL},
    {"pass_on", pass_on, METH_VARARGS, NULL},
    {"largest", largest, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    if (!add_pairs(module) || !add_terms(module) || !add_hashed(module)) return -1;
    if (!add_forest(module) || !add_kernels(module)) return -1;
    return PyModule_AddIntMacro(module, VERSION);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_native", "See native.py.", 0, functions, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
