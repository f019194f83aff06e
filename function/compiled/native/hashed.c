/* Terms that are known by the hash of their name: HashingVectorizer, hashed.py. See native.h.

Any term there is has a column, and +1 or -1 there, so a text meets as many as it has terms: scratch
space grows with them. Only columns that the model has weights for have a line of the table; all
others have the last one. */

#include "native.h"

#define LEAST_ROOM 256

static uint32_t rotated(uint32_t number, int by)
{
    return number << by | number >> (32 - by);
}

static uint32_t mixed(uint32_t block)
{
    return rotated(block * UINT32_C(0xCC9E2D51), 15) * UINT32_C(0x1B873593);
}

/* MurmurHash3_x86_32 with seed 0, as murmur.py. */
static uint32_t murmur3(const byte *key, size_t size)
{
    uint32_t found = 0, rest = 0;
    for (const byte *end = key + size - size % 4; key < end; key += 4) {
        uint32_t block = (uint32_t)key[0] | (uint32_t)key[1] << 8 | (uint32_t)key[2] << 16
                         | (uint32_t)key[3] << 24;
        found = rotated(found ^ mixed(block), 13) * 5 + UINT32_C(0xE6546B64);
    }
    for (size_t left = size % 4; left > 0; left--) rest = rest << 8 | key[left - 1];
    found ^= mixed(rest) ^ (uint32_t)size;
    found = (found ^ found >> 16) * UINT32_C(0x85EBCA6B);
    found = (found ^ found >> 13) * UINT32_C(0xC2B2AE35);
    return found ^ found >> 16;
}

/* Room for more than there was; false without memory for it. */
static int grow(Vocabulary *self)
{
    size_t room = self->room < LEAST_ROOM ? LEAST_ROOM : 2 * self->room;
    void *found = PyMem_Realloc(self->found, room * sizeof *self->found);
    if (found != NULL) self->found = found;
    void *ranked = PyMem_Realloc(self->ranked, room * sizeof *self->ranked);
    if (ranked != NULL) self->ranked = ranked;
    void *spare = PyMem_Realloc(self->spare, room * sizeof *self->spare);
    if (spare != NULL) self->spare = spare;
    void *values = PyMem_Realloc(self->values, room * sizeof *self->values);
    if (values != NULL) self->values = values;
    if (!found || !ranked || !spare || !values || room > INT32_MAX) return 0;
    self->room = room;
    return 1;
}

void meet_hashed(Vocabulary *self, const byte *term, size_t size)
{
    if (self->found_count == self->room && !self->has_no_room) self->has_no_room = !grow(self);
    if (self->has_no_room) return;
    uint32_t hash = murmur3(term, size);
    int is_negative = hash >> 31 != 0;
    uint32_t column = (is_negative ? 0 - hash : hash) % self->features;
    uint32_t count = is_negative && self->has_signs ? UINT32_MAX : 1; /* -1 or 1 */
    self->spare[self->found_count++] = (uint64_t)column << 32 | count;
}

/* The line of the table that is the column's. */
static uint32_t line_of(const Vocabulary *self, uint32_t column)
{
    uint32_t first = 0, end = self->own_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (load_number(self->own_columns, middle) < column) first = middle + 1;
        else end = middle;
    }
    int is_own = first < self->own_count && load_number(self->own_columns, first) == column;
    return is_own ? first : self->own_count;
}

size_t rank_hashed(Vocabulary *self)
{
    size_t all = self->found_count, count = 0;
    self->found_count = 0;
    uint64_t *keys = keys_of(self, all);
    if (keys != self->spare) memcpy(keys, self->spare, all * sizeof *keys);
    sort_keys(self, all);
    for (size_t at = 0; at < all; count++) {
        uint32_t column = (uint32_t)(self->ranked[at] >> 32), total = 0;
        size_t first = at;
        for (; at < all && self->ranked[at] >> 32 == column; at++)
            total += (uint32_t)self->ranked[at];
        self->ranked[count] = (uint64_t)column << 32 | total;
        self->found[count] = line_of(self, column);
        if (self->found[count] == self->own_count) self->unknown += at - first;
    }
    self->met += all;
    return count;
}

static int Hashed_find(Vocabulary *self, PyObject *text)
{
    int has_found = find_terms(self, text);
    if (has_found && !self->has_no_room) return 1;
    if (has_found) PyErr_NoMemory();
    self->found_count = 0;
    self->has_no_room = 0;
    return 0;
}

static PyObject *Hashed_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"columns", "features", "alternate_sign", "analyzer", "shortest",
                            "longest", "ignored", "letters", "shortest_token", NULL};
    PyObject *columns, *ignored, *letters;
    Py_ssize_t features, shortest, longest, shortest_token;
    int has_signs;
    const char *analyzer;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SnpsnnSSn", names, &columns, &features,
                                     &has_signs, &analyzer, &shortest, &longest, &ignored, &letters,
                                     &shortest_token))
        return NULL;
    size_t own = (size_t)PyBytes_Size(columns) / sizeof(uint32_t);
    if (features < 1 || features > INT32_MAX || own > (size_t)features)
        return PyErr_Format(PyExc_ValueError, "%zu columns of %zd features", own, features);
    Vocabulary *self = (Vocabulary *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->find = Hashed_find;
    self->files = PyTuple_Pack(2, columns, ignored);
    self->features = (uint32_t)features;
    self->has_signs = has_signs;
    self->own_columns = (const byte *)PyBytes_AsString(columns);
    self->own_count = (uint32_t)own;
    if (self->files == NULL
        || !take_analyzer(self, analyzer, shortest, longest, letters, shortest_token)
        || !take_ignored(self, ignored) || !make_space(self))
        Py_CLEAR(self);
    else
        self->column_limit = self->own_count + 1;
    return (PyObject *)self;
}

int add_hashed(PyObject *module)
{
    return add_vocabulary(module, "function.compiled._native.Hashed", Hashed_new);
}
