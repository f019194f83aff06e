/* Scores to those of the next layer, as layers.py has it. See native.h. */

#include <float.h>

#include "native.h"

#define LARGEST_SCORE 1e30 /* layers.py's */
#define NO_LENGTH (10 * DBL_EPSILON)

typedef enum { IDENTITY, LOGISTIC, TANH, RELU, UNIT_LENGTH } Activation;

static const char *const activations[] = {"identity", "logistic", "tanh", "relu", "l2"};

static void divide_by_length(double *scores, size_t count)
{
    double total = 0.0;
    for (size_t at = 0; at < count; at++) total += scores[at] * scores[at];
    double length = sqrt(total);
    for (size_t at = 0; length >= NO_LENGTH && at < count; at++) scores[at] /= length;
}

static void activate(double *scores, size_t count, Activation activation)
{
    if (activation == UNIT_LENGTH) divide_by_length(scores, count);
    for (size_t at = 0; at < count; at++) {
        double score = scores[at];
        if (activation == RELU) scores[at] = score > 0.0 ? score : 0.0;
        else if (activation == TANH) scores[at] = tanh(score);
        else if (activation == LOGISTIC) scores[at] = logistic(score);
    }
}

/* Scores, cut to what no model has, that the sums stay finite. */
static void take(const byte *sums, const byte *intercepts, double *scores, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        double score = load_double(sums, at) + load_double(intercepts, at);
        scores[at] = score > LARGEST_SCORE ? LARGEST_SCORE
                     : score < -LARGEST_SCORE ? -LARGEST_SCORE : score;
    }
}

static void multiply(const double *scores, size_t count, const byte *weights, double *sums,
                     size_t others)
{
    for (size_t at = 0; at < count; at++) {
        double score = scores[at];
        if (score == 0.0) continue; /* every second one, of relu */
        const byte *own = weights + at * others * sizeof(double);
        for (size_t other = 0; other < others; other++)
            sums[other] += score * load_double(own, other);
    }
}

/* pass_on(totals, intercepts, activation, weights): what each text's scores, one text's after the
other's, come to behind a layer, without its own intercepts. `weights` has a line for each score. */
PyObject *pass_on(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *totals, *intercepts, *weights;
    const char *name;
    if (!PyArg_ParseTuple(arguments, "O!SsS", &PyByteArray_Type, &totals, &intercepts, &name,
                          &weights))
        return NULL;
    int activation =
        place_of(name, activations, sizeof activations / sizeof *activations, "activation");
    if (activation < 0) return NULL;
    size_t count = (size_t)PyBytes_Size(intercepts) / sizeof(double), line = count * sizeof(double);
    size_t size = (size_t)PyByteArray_Size(totals), all = (size_t)PyBytes_Size(weights);
    if (count == 0 || size % line || all == 0 || all % line)
        return PyErr_Format(PyExc_ValueError, "%zu bytes of %zu scores, %zu of weights", size, count,
                            all);
    size_t texts = size / line, others = all / line;
    double *scores = PyMem_Malloc(line);
    if (scores == NULL) return PyErr_NoMemory();
    PyObject *found =
        PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(texts * others * sizeof(double)));
    if (found != NULL) {
        double *sums = (double *)(void *)PyByteArray_AsString(found);
        memset(sums, 0, texts * others * sizeof(double));
        for (size_t text = 0; text < texts; text++) {
            take((const byte *)PyByteArray_AsString(totals) + text * line,
                 (const byte *)PyBytes_AsString(intercepts), scores, count);
            activate(scores, count, (Activation)activation);
            multiply(scores, count, (const byte *)PyBytes_AsString(weights), sums + text * others,
                     others);
        }
    }
    PyMem_Free(scores);
    return found;
}
