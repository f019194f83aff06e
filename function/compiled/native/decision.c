/* Scores to probabilities, as decision.py and probabilities.py have it. See native.h. */

#include "native.h"

typedef enum { SCORES, LABELS, SOFTMAX, NAIVE_BAYES, LOGISTIC, CLIPPED } Kind;

double logistic(double score)
{
    return 1.0 / (1.0 + exp(-score)); /* 0.0 where the divisor is infinite */
}

static double clipped(double score)
{
    return ((score < -1.0 ? -1.0 : score > 1.0 ? 1.0 : score) + 1.0) / 2.0;
}

/* The first of the largest, as np.argmax has it. */
static size_t best_of(const double *scores, size_t count)
{
    size_t best = 0;
    for (size_t at = 1; at < count; at++)
        if (scores[at] > scores[best]) best = at;
    return best;
}

static double divide_by_sum(double *shares, size_t count, double if_nothing)
{
    double total = 0.0;
    for (size_t at = 0; at < count; at++) total += shares[at];
    for (size_t at = 0; at < count; at++)
        shares[at] = total == 0.0 ? if_nothing : shares[at] / total;
    return total;
}

static void softmax(double *scores, size_t count, double best)
{
    for (size_t at = 0; at < count; at++) scores[at] = exp(scores[at] - best);
    divide_by_sum(scores, count, 0.0); /* it is 1 at least */
}

static void naive_bayes(double *scores, size_t count, double best)
{
    double total = 0.0;
    for (size_t at = 0; at < count; at++) total += exp(scores[at] - best);
    double evidence = log(total) + best;
    for (size_t at = 0; at < count; at++) scores[at] = exp(scores[at] - evidence);
}

static void one_vs_rest(double *scores, size_t count, Kind kind, int is_uniform)
{
    for (size_t at = 0; at < count; at++)
        scores[at] = kind == LOGISTIC ? logistic(scores[at]) : clipped(scores[at]);
    divide_by_sum(scores, count, is_uniform ? 1.0 / (double)count : 0.0);
}

static PyObject *tuple_of(const double *numbers, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t at = 0; tuple != NULL && at < count; at++) {
        PyObject *number = PyFloat_FromDouble(numbers[at]);
        if (number == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)at, number) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

/* (which is best, the probabilities or None). Of one score there are two labels. */
static PyObject *answer_of(double *scores, size_t count, Kind kind, int is_uniform)
{
    if (kind == SCORES) return tuple_of(scores, count);
    size_t best = count == 1 ? scores[0] > 0.0 : best_of(scores, count);
    if (kind == LABELS) return Py_BuildValue("(nO)", (Py_ssize_t)best, Py_None);
    double two[2], *shares = scores;
    if (kind == SOFTMAX) softmax(scores, count, scores[best]);
    else if (kind == NAIVE_BAYES) naive_bayes(scores, count, scores[best]);
    else if (count > 1) one_vs_rest(scores, count, kind, is_uniform);
    else {
        two[1] = kind == LOGISTIC ? logistic(scores[0]) : clipped(scores[0]);
        two[0] = 1.0 - two[1];
        shares = two, count = 2;
    }
    return Py_BuildValue("(nN)", (Py_ssize_t)best, tuple_of(shares, count));
}

static const char *const kinds[] = {"scores",      "labels",   "softmax",
                                    "naive_bayes", "logistic", "clipped"};

/* decide(totals, intercepts, kind, is_uniform): for each text, of whose scores `totals` has the sums
one after the other, what answer_of says. */
PyObject *decide(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *totals, *intercepts;
    const char *name;
    int is_uniform;
    if (!PyArg_ParseTuple(arguments, "O!Ssp", &PyByteArray_Type, &totals, &intercepts, &name,
                          &is_uniform))
        return NULL;
    int kind = place_of(name, kinds, sizeof kinds / sizeof *kinds, "decision kind");
    if (kind < 0) return NULL;
    size_t count = (size_t)PyBytes_Size(intercepts) / sizeof(double);
    size_t line = count * sizeof(double), size = (size_t)PyByteArray_Size(totals);
    if (count == 0 || size % line || (count == 1 && (kind == SOFTMAX || kind == NAIVE_BAYES)))
        return PyErr_Format(PyExc_ValueError, "%zu bytes of %zu scores", size, count);
    const byte *added = (const byte *)PyBytes_AsString(intercepts);
    double *scores = PyMem_Malloc(line);
    if (scores == NULL) return PyErr_NoMemory();
    PyObject *all = PyList_New((Py_ssize_t)(size / line));
    for (size_t text = 0; all != NULL && text < size / line; text++) {
        const byte *sums = (const byte *)PyByteArray_AsString(totals);
        for (size_t at = 0; at < count; at++)
            scores[at] = load_double(sums, text * count + at) + load_double(added, at);
        PyObject *answer = answer_of(scores, count, (Kind)kind, is_uniform);
        if (answer == NULL || PyList_SetItem(all, (Py_ssize_t)text, answer) < 0) Py_CLEAR(all);
    }
    PyMem_Free(scores);
    return all;
}
