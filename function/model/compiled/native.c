/* Words and pairs of words in C: what pairs.py does, in an eighth of the time and of the memory.

A vocabulary stays as its files have it (artifact.py): the words one after the other, two numbers
for each pair, a packed row (rows.py) for each term. Two hash tables of numbers lead into them.

Only bytes come in: texts in ASCII as they are, others as the words that Python found in them,
between spaces. Python's lock is held and nothing of Python's is called while the scratch space is
in use, so that it is one text's at a time. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <math.h>
#include <string.h>

#define NOBODY UINT32_MAX
#define COLUMN_BYTES 4
#define COUNT_BYTES 1

/* What a term counts for that occurs several times, and in which cases there is no sum. */
typedef struct {
    int binary, sublinear, has_squares;
    Py_ssize_t most;
} Rules;

typedef struct {
    uint32_t hash, word; /* the word's number plus one; 0 is an empty slot */
} WordSlot;

typedef struct {
    PyObject_HEAD
    PyObject *words_object, *pairs_object, *rows_object;
    const unsigned char *words, *pairs, *rows;
    uint32_t word_count;  /* those after known_count are to be ignored */
    uint32_t known_count, alone_count, pair_count;
    Py_ssize_t fields, row_bytes;
    unsigned char spaced[256]; /* what each byte of a text counts as; a space ends a word */
    uint32_t *starts;          /* where each word starts */
    WordSlot *word_slots;
    uint32_t *pair_slots; /* the pair's number plus one */
    uint32_t word_mask, pair_mask;
    /* scratch */
    uint32_t *occurrences; /* of each row; zeros between calls */
    uint64_t *row, *second, *total;
    double *shares;
} Index;

static uint32_t load_number(const unsigned char *numbers, size_t position)
{
    uint32_t number;
    memcpy(&number, numbers + position * sizeof number, sizeof number);
    return number;
}

static uint64_t load_little_endian(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int byte = 0; byte < bytes; byte++) value |= (uint64_t)at[byte] << (8 * byte);
    return value;
}

static uint32_t first_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, pair);
}

static uint32_t second_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, (size_t)self->pair_count + pair);
}

static uint32_t hash_pair(uint32_t first, uint32_t second)
{
    uint64_t mixed = ((uint64_t)first << 32 | second) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

#define HASH_START UINT32_C(2166136261) /* FNV-1a */
#define HASH_STEP(hash, byte) (((hash) ^ (byte)) * UINT32_C(16777619))

static int is_word(const Index *self, uint32_t word, const unsigned char *text, Py_ssize_t length)
{
    const unsigned char *known = self->words + self->starts[word];
    if (self->starts[word + 1] - self->starts[word] - 1 != (size_t)length) return 0;
    for (Py_ssize_t at = 0; at < length; at++)
        if (known[at] != self->spaced[text[at]]) return 0;
    return 1;
}

static uint32_t find_word(const Index *self, const unsigned char *text, Py_ssize_t length,
                          uint32_t hash)
{
    for (uint32_t at = hash & self->word_mask;; at = (at + 1) & self->word_mask) {
        WordSlot slot = self->word_slots[at];
        if (slot.word == 0) return NOBODY;
        if (slot.hash == hash && is_word(self, slot.word - 1, text, length)) return slot.word - 1;
    }
}

static uint32_t find_pair(const Index *self, uint32_t first, uint32_t second)
{
    uint32_t mask = self->pair_mask;
    for (uint32_t at = hash_pair(first, second) & mask;; at = (at + 1) & mask) {
        uint32_t pair = self->pair_slots[at];
        if (pair-- == 0) return NOBODY;
        if (first_of(self, pair) == first && second_of(self, pair) == second) return pair;
    }
}

/* Write the rows of a text's known terms, repeats included, to `found`, and return how many there
are: at most one for each of its bytes. */
static Py_ssize_t find_rows(const Index *self, const unsigned char *text, Py_ssize_t size,
                            uint32_t *found)
{
    Py_ssize_t count = 0;
    uint32_t previous = NOBODY;
    for (Py_ssize_t at = 0; at < size;) {
        uint32_t hash = HASH_START;
        Py_ssize_t start = at;
        for (unsigned char byte; at < size && (byte = self->spaced[text[at]]) != ' '; at++)
            hash = HASH_STEP(hash, byte);
        Py_ssize_t length = at++ - start;
        if (length == 0) continue;
        uint32_t word = find_word(self, text + start, length, hash);
        if (word != NOBODY && word >= self->known_count) continue; /* breaks nothing up */
        if (word != NOBODY && word < self->alone_count) found[count++] = word;
        if (word != NOBODY && previous != NOBODY) {
            uint32_t pair = find_pair(self, previous, word);
            if (pair != NOBODY) found[count++] = self->alone_count + pair;
        }
        previous = word;
    }
    return count;
}

/* The packed row's fields. One below zero has borrowed from the next. */
static void unpack(const Index *self, uint32_t row, uint64_t *fields)
{
    const unsigned char *at = self->rows + (size_t)row * self->row_bytes + COLUMN_BYTES;
    uint64_t borrowed = 0;
    for (Py_ssize_t field = 0; field < self->fields; field++, at += 8) {
        uint64_t value = load_little_endian(at, 8);
        fields[field] = value + borrowed;
        borrowed = value >> 63;
    }
}

/* The second word of the pair that the row is of, if it has a row too: it is part of the pair's. */
static uint32_t second_row(const Index *self, uint32_t row)
{
    if (row < self->alone_count) return NOBODY;
    uint32_t second = second_of(self, row - self->alone_count);
    return second < self->alone_count ? second : NOBODY;
}

static void read_row(const Index *self, uint32_t row)
{
    unpack(self, row, self->row);
    uint32_t second = second_row(self, row);
    if (second == NOBODY) return;
    unpack(self, second, self->second);
    for (Py_ssize_t field = 0; field < self->fields; field++)
        self->row[field] -= self->second[field];
}

static uint32_t read_column(const Index *self, uint32_t row)
{
    uint32_t second = second_row(self, row);
    const unsigned char *rows = self->rows;
    uint64_t column = load_little_endian(rows + (size_t)row * self->row_bytes, COLUMN_BYTES);
    if (second != NOBODY)
        column -= load_little_endian(rows + (size_t)second * self->row_bytes, COLUMN_BYTES);
    return (uint32_t)column;
}

static double as_double(uint64_t field) { return (double)(int64_t)field; }

/* Add the rows up into `shares`, as quick.py does. False where a field could have run over. */
static int add_rows(Index *self, uint32_t *found, Py_ssize_t count, const Rules *rules)
{
    Py_ssize_t distinct = 0, again = 0;
    uint64_t squares_again = 0;
    for (Py_ssize_t at = 0; at < count; at++)
        if (self->occurrences[found[at]]++ == 0) found[distinct++] = found[at];
    memset(self->total, 0, self->fields * sizeof *self->total);
    memset(self->shares, 0, self->fields * sizeof *self->shares);
    for (Py_ssize_t at = 0; at < distinct; at++) {
        uint64_t times = self->occurrences[found[at]];
        self->occurrences[found[at]] = 0;
        read_row(self, found[at]);
        if (times > 1 && rules->sublinear && !rules->binary) {
            double value = log((double)times) + 1.0;
            for (Py_ssize_t field = 0; field < self->fields; field++)
                self->shares[field] += as_double(self->row[field]) * value;
            if (rules->has_squares)
                self->shares[0] += as_double(self->row[0]) * value * (value - 1.0);
            continue;
        }
        if (rules->binary) times = 1;
        for (Py_ssize_t field = 0; field < self->fields; field++)
            self->total[field] += self->row[field] * times;
        again += times * (times - 1) / 2;
        squares_again += self->row[0] * (times * (times - 1) / 2);
    }
    for (Py_ssize_t field = 0; field < self->fields; field++)
        self->shares[field] += as_double(self->total[field]);
    /* n squares were added for a term that occurs n times, and it is to have n * n */
    if (rules->has_squares) self->shares[0] += 2.0 * as_double(squares_again);
    return !rules->has_squares || again <= rules->most;
}

/* A text's rows, for the caller to free, and in `count` their number. NULL with an error set. */
static uint32_t *rows_of_text(const Index *self, PyObject *text, Py_ssize_t *count)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) return NULL;
    uint32_t *found = PyMem_Malloc((size + 1) * sizeof *found);
    if (found == NULL) return (uint32_t *)PyErr_NoMemory();
    *count = find_rows(self, (const unsigned char *)bytes, size, found);
    return found;
}

static PyObject *sum_text(Index *self, PyObject *text, const Rules *rules)
{
    Py_ssize_t count;
    uint32_t *found = rows_of_text(self, text, &count);
    if (found == NULL) return NULL;
    /* First, as it may collect garbage, which may run anything, this function too. */
    PyObject *sums = PyTuple_New(self->fields);
    if (count > rules->most || !add_rows(self, found, count, rules)) {
        Py_XDECREF(sums);
        sums = Py_NewRef(Py_None);
    } else {
        for (Py_ssize_t field = 0; sums != NULL && field < self->fields; field++) {
            PyObject *number = PyFloat_FromDouble(self->shares[field]);
            if (number == NULL || PyTuple_SetItem(sums, field, number) < 0) Py_CLEAR(sums);
        }
    }
    PyMem_Free(found);
    return sums;
}

static PyObject *Index_sums(Index *self, PyObject *arguments)
{
    PyObject *texts;
    Rules rules;
    if (!PyArg_ParseTuple(arguments, "O!pppn", &PyList_Type, &texts, &rules.binary,
                          &rules.sublinear, &rules.has_squares, &rules.most))
        return NULL;
    PyObject *sums = PyList_New(PyList_Size(texts));
    for (Py_ssize_t at = 0; sums != NULL && at < PyList_Size(sums); at++) {
        PyObject *sum = sum_text(self, PyList_GetItem(texts, at), &rules);
        if (sum == NULL || PyList_SetItem(sums, at, sum) < 0) Py_CLEAR(sums);
    }
    return sums;
}

static PyObject *Index_columns(Index *self, PyObject *text)
{
    Py_ssize_t count;
    uint32_t *found = rows_of_text(self, text, &count);
    if (found == NULL) return NULL;
    PyObject *columns = PyList_New(count);
    for (Py_ssize_t at = 0; columns != NULL && at < count; at++) {
        PyObject *column = PyLong_FromUnsignedLong(read_column(self, found[at]));
        if (column == NULL || PyList_SetItem(columns, at, column) < 0) Py_CLEAR(columns);
    }
    PyMem_Free(found);
    return columns;
}

/* A power of two, at most half of which is used; the slots are zeros. */
static void *make_slots(size_t used, size_t slot_bytes, uint32_t *mask)
{
    size_t size = 2;
    while (size < 2 * used) size *= 2;
    *mask = (uint32_t)(size - 1);
    return PyMem_Calloc(size, slot_bytes);
}

static int is_same_word(const Index *self, uint32_t one, uint32_t other)
{
    uint32_t start = self->starts[one], length = self->starts[one + 1] - start;
    uint32_t other_start = self->starts[other];
    return length == self->starts[other + 1] - other_start
        && memcmp(self->words + start, self->words + other_start, length - 1) == 0;
}

/* The last of two that are the same counts, so that a word to be ignored is. */
static void place_word(Index *self, uint32_t word, uint32_t hash)
{
    uint32_t at = hash & self->word_mask;
    for (uint32_t other; (other = self->word_slots[at].word) != 0; at = (at + 1) & self->word_mask)
        if (self->word_slots[at].hash == hash && is_same_word(self, word, other - 1)) break;
    self->word_slots[at] = (WordSlot){hash, word + 1};
}

static int place_words(Index *self, Py_ssize_t size)
{
    self->starts = PyMem_Calloc((size_t)self->word_count + 1, sizeof *self->starts);
    self->word_slots = make_slots(self->word_count, sizeof *self->word_slots, &self->word_mask);
    if (self->starts == NULL || self->word_slots == NULL) return 0;
    Py_ssize_t at = 0;
    for (uint32_t word = 0; word < self->word_count; word++, at++) {
        uint32_t hash = HASH_START;
        self->starts[word] = (uint32_t)at;
        for (; at < size && self->words[at] != '\n'; at++) hash = HASH_STEP(hash, self->words[at]);
        self->starts[word + 1] = (uint32_t)at + 1;
        place_word(self, word, hash);
    }
    return 1;
}

static int place_pairs(Index *self)
{
    self->pair_slots = make_slots(self->pair_count, sizeof *self->pair_slots, &self->pair_mask);
    if (self->pair_slots == NULL) return 0;
    for (uint32_t pair = 0; pair < self->pair_count; pair++) {
        uint32_t slot = hash_pair(first_of(self, pair), second_of(self, pair)) & self->pair_mask;
        while (self->pair_slots[slot] != 0) slot = (slot + 1) & self->pair_mask;
        self->pair_slots[slot] = pair + 1;
    }
    return 1;
}

static int make_scratch(Index *self)
{
    size_t rows = (size_t)self->alone_count + self->pair_count, fields = (size_t)self->fields;
    self->occurrences = PyMem_Calloc(rows + 1, sizeof *self->occurrences);
    self->row = PyMem_Calloc(fields + 1, sizeof *self->row);
    self->second = PyMem_Calloc(fields + 1, sizeof *self->second);
    self->total = PyMem_Calloc(fields + 1, sizeof *self->total);
    self->shares = PyMem_Calloc(fields + 1, sizeof *self->shares);
    return self->occurrences && self->row && self->second && self->total && self->shares;
}

static int is_consistent(const Index *self)
{
    if (self->alone_count > self->known_count || self->known_count > self->word_count) return 0;
    for (uint32_t number = 0; number < 2 * (uint64_t)self->pair_count; number++)
        if (load_number(self->pairs, number) >= self->known_count) return 0;
    return 1;
}

static int count_words(const unsigned char *words, Py_ssize_t size)
{
    int count = 1;
    for (Py_ssize_t at = 0; at < size; at++) count += words[at] == '\n';
    return count;
}

static PyObject *Index_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"words", "known", "pairs", "rows", "fields", "spaced", NULL};
    PyObject *words, *pairs, *rows;
    const char *spaced;
    Py_ssize_t known, fields, spaced_size;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SnSSny#", names, &words, &known, &pairs,
                                     &rows, &fields, &spaced, &spaced_size))
        return NULL;
    if (fields < 0 || fields > 1 << 20 || spaced_size != 256)
        return PyErr_Format(PyExc_ValueError, "%zd fields, %zd bytes", fields, spaced_size);
    Py_ssize_t words_size = PyBytes_Size(words), pairs_size = PyBytes_Size(pairs);
    Py_ssize_t rows_size = PyBytes_Size(rows), row_bytes = COLUMN_BYTES + 8 * fields + COUNT_BYTES;
    Py_ssize_t row_count = rows_size / row_bytes, pair_count = pairs_size / 8;
    if (words_size >= INT32_MAX || row_count >= INT32_MAX || known < 0 || known > words_size + 1
        || rows_size % row_bytes || pairs_size % 8 || pair_count > row_count)
        return PyErr_Format(PyExc_ValueError, "%zd words, %zd bytes of pairs, %zd of rows", known,
                            pairs_size, rows_size);
    Index *self = (Index *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->words_object = Py_NewRef(words);
    self->pairs_object = Py_NewRef(pairs);
    self->rows_object = Py_NewRef(rows);
    self->words = (const unsigned char *)PyBytes_AsString(words);
    self->pairs = (const unsigned char *)PyBytes_AsString(pairs);
    self->rows = (const unsigned char *)PyBytes_AsString(rows);
    self->word_count = (uint32_t)count_words(self->words, words_size);
    self->known_count = (uint32_t)known;
    self->pair_count = (uint32_t)pair_count;
    self->alone_count = (uint32_t)(row_count - pair_count);
    self->fields = fields;
    self->row_bytes = row_bytes;
    memcpy(self->spaced, spaced, sizeof self->spaced);
    if (!is_consistent(self))
        PyErr_Format(PyExc_ValueError, "%zd words for %zd rows, %zd of them of pairs", known,
                     row_count, pair_count);
    else if (!place_words(self, words_size) || !place_pairs(self) || !make_scratch(self))
        PyErr_NoMemory();
    else
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void Index_dealloc(Index *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->words_object);
    Py_XDECREF(self->pairs_object);
    Py_XDECREF(self->rows_object);
    PyMem_Free(self->starts);
    PyMem_Free(self->word_slots);
    PyMem_Free(self->pair_slots);
    PyMem_Free(self->occurrences);
    PyMem_Free(self->row);
    PyMem_Free(self->second);
    PyMem_Free(self->total);
    PyMem_Free(self->shares);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"sums", (PyCFunction)Index_sums, METH_VARARGS, NULL},
    {"columns", (PyCFunction)Index_columns, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, Index_new},
    {Py_tp_dealloc, Index_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    "function.model.compiled._native.Index", sizeof(Index), 0, Py_TPFLAGS_DEFAULT, slots,
};

static int execute(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    int failed = type == NULL || PyModule_AddObjectRef(module, "Index", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_native", "See native.py.", 0, NULL, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
