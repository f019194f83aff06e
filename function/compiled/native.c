/* Words and pairs of words in C: what pairs.py and quick.py do, a text in 1.5 microseconds.

A vocabulary stays as its files have it (artifact.py): the words one after the other, two numbers
for each pair, a packed row (rows.py) for each term. Two hash tables of numbers lead into them.

Texts come in lower case where the model wants that: those in ASCII whole, others as the words that
Python found in them, between spaces. Python's lock is held throughout, and while the scratch space
is in use nothing is called that could run Python code: it is one text's at a time. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <math.h>
#include <string.h>

#define VERSION 4 /* native.py's: a module that is older than it is left alone */
#define NOT_FOUND UINT32_MAX
#define COLUMN_BYTES 4
#define FIELD_BYTES 8
#define COUNT_BYTES 1
#define LARGEST_FIELD (INT64_C(5) << 48) /* rows.py */

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
    PyObject *files; /* a tuple of the three below */
    const unsigned char *words, *pairs, *rows;
    uint32_t word_count, known_count; /* known words, then those to ignore */
    uint32_t word_row_count;          /* known words that have a row, before those that have none */
    uint32_t pair_count;              /* their rows follow those of the words */
    size_t fields, row_bytes;
    uint32_t *starts; /* of each word, and the end of the last */
    WordSlot *word_slots;
    uint32_t *pair_slots; /* the pair's number plus one; 0 is an empty slot */
    uint32_t word_mask, pair_mask;
    uint64_t met, unknown; /* words in the texts so far, but for those to ignore */
    /* scratch */
    uint32_t *occurrences; /* of each row; zeros between texts */
    uint64_t *row, *total; /* fields, in two's complement */
    double *sums;
} Index;

static uint32_t load_number(const unsigned char *numbers, size_t position)
{
    uint32_t number;
    memcpy(&number, numbers + position * sizeof number, sizeof number);
    return number;
}

/* Written out, these are one instruction each. */
static uint64_t load_column(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t load_field(const unsigned char *at)
{
    return load_column(at) | load_column(at + 4) << 32;
}

static uint32_t first_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, pair);
}

static uint32_t second_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, (size_t)self->pair_count + pair);
}

#define HASH_START UINT32_C(2166136261) /* FNV-1a */
#define HASH_STEP(hash, byte) (((hash) ^ (byte)) * UINT32_C(16777619))

static uint32_t hash_pair(uint32_t first, uint32_t second)
{
    uint64_t mixed = ((uint64_t)first << 32 | second) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

static int is_of_word(unsigned char byte)
{
    unsigned char letter = byte | 32;
    return (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') || byte == '_'
        || byte >= 128; /* found by Python */
}

static int is_word(const Index *self, uint32_t word, const unsigned char *text, size_t length)
{
    uint32_t start = self->starts[word];
    return self->starts[word + 1] - start - 1 == length
        && memcmp(self->words + start, text, length) == 0;
}

/* The slot of the word, or an empty one where it belongs. */
static WordSlot *find_slot(const Index *self, const unsigned char *text, size_t length,
                           uint32_t hash)
{
    for (uint32_t at = hash & self->word_mask;; at = (at + 1) & self->word_mask) {
        WordSlot *slot = &self->word_slots[at];
        if (slot->word == 0) return slot;
        if (slot->hash == hash && is_word(self, slot->word - 1, text, length)) return slot;
    }
}

/* As find_slot, of a pair. */
static uint32_t *find_pair_slot(const Index *self, uint32_t first, uint32_t second)
{
    uint32_t mask = self->pair_mask;
    for (uint32_t at = hash_pair(first, second) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &self->pair_slots[at];
        if (*slot == 0) return slot;
        if (first_of(self, *slot - 1) == first && second_of(self, *slot - 1) == second) return slot;
    }
}

/* Write the rows of a text's known terms, repeats included, to `found`, and return how many there
are: at most one for each of its bytes. */
static Py_ssize_t find_rows(Index *self, const unsigned char *text, size_t size, uint32_t *found)
{
    Py_ssize_t count = 0;
    uint32_t previous = NOT_FOUND;
    for (size_t at = 0; at < size; at++) {
        uint32_t hash = HASH_START;
        size_t start = at;
        for (; at < size && is_of_word(text[at]); at++) hash = HASH_STEP(hash, text[at]);
        if (at == start) continue;
        uint32_t word = find_slot(self, text + start, at - start, hash)->word - 1;
        if (word != NOT_FOUND && word >= self->known_count) continue; /* breaks nothing up */
        self->met++;
        if (word == NOT_FOUND) {
            self->unknown++;
            previous = word;
            continue;
        }
        if (word < self->word_row_count) found[count++] = word;
        if (previous != NOT_FOUND) {
            uint32_t pair = *find_pair_slot(self, previous, word) - 1;
            if (pair != NOT_FOUND) found[count++] = self->word_row_count + pair;
        }
        previous = word;
    }
    return count;
}

/* The row of a pair's second word, if this is a pair's and that word has one: it is part of it. */
static uint32_t second_row(const Index *self, uint32_t row)
{
    if (row < self->word_row_count) return NOT_FOUND;
    uint32_t second = second_of(self, row - self->word_row_count);
    return second < self->word_row_count ? second : NOT_FOUND;
}

static uint64_t packed_column(const Index *self, uint32_t row)
{
    return load_column(self->rows + row * self->row_bytes);
}

static uint32_t column_of(const Index *self, uint32_t row)
{
    uint32_t second = second_row(self, row);
    uint64_t column = packed_column(self, row);
    return (uint32_t)(second == NOT_FOUND ? column : column - packed_column(self, second));
}

/* Add the packed row's fields, so many times. One below zero has borrowed from the next. */
static void add_fields(const Index *self, uint32_t row, uint64_t times, uint64_t *into)
{
    const unsigned char *at = self->rows + row * self->row_bytes + COLUMN_BYTES;
    uint64_t borrowed = 0;
    for (size_t field = 0; field < self->fields; field++, at += FIELD_BYTES) {
        uint64_t packed = load_field(at);
        into[field] += (packed + borrowed) * times;
        borrowed = packed >> 63;
    }
}

/* Bring a term's own fields to `row`. */
static void read_row(Index *self, uint32_t row)
{
    uint32_t second = second_row(self, row);
    memset(self->row, 0, self->fields * sizeof *self->row);
    add_fields(self, row, 1, self->row);
    if (second != NOT_FOUND) add_fields(self, second, UINT64_MAX /* -1 */, self->row);
}

/* Whether a row could be a term's, of so many columns and with so many squares before its scores:
what rows.py, RowLayout.check asks. */
static int is_sound_row(Index *self, uint32_t row, uint64_t columns, size_t squares)
{
    uint32_t second = second_row(self, row);
    uint64_t column = packed_column(self, row), count = second == NOT_FOUND ? 1 : 2;
    if (second != NOT_FOUND) column -= packed_column(self, second); /* wraps where it is below 0 */
    if (column >= columns) return 0;
    read_row(self, row);
    for (size_t field = 0; field < self->fields; field++) {
        int64_t value = (int64_t)self->row[field];
        if (value >= LARGEST_FIELD || value < (field < squares ? 0 : -LARGEST_FIELD)) return 0;
    }
    const unsigned char *end = self->rows + (row + (size_t)1) * self->row_bytes - COUNT_BYTES;
    int borrowed = self->fields > 0 && end[-1] >> 7;
    return *end + (uint64_t)borrowed == count;
}

static PyObject *Index_is_sound(Index *self, PyObject *arguments)
{
    Py_ssize_t columns, squares;
    if (!PyArg_ParseTuple(arguments, "nn", &columns, &squares)) return NULL;
    uint32_t rows = self->word_row_count + self->pair_count;
    for (uint32_t row = 0; row < rows; row++)
        if (!is_sound_row(self, row, (uint64_t)columns, (size_t)squares))
            return Py_NewRef(Py_False);
    return Py_NewRef(Py_True);
}

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

static double as_double(uint64_t field)
{
    return (double)(int64_t)field;
}

/* Add the rows up into `sums`, as quick.py does. False where a field could have run over. */
static int add_rows(Index *self, uint32_t *found, Py_ssize_t count, const Rules *rules)
{
    Py_ssize_t distinct = 0;
    uint64_t repeats = 0, repeated_squares = 0;
    for (Py_ssize_t at = 0; at < count; at++)
        if (self->occurrences[found[at]]++ == 0) found[distinct++] = found[at];
    memset(self->total, 0, self->fields * sizeof *self->total);
    memset(self->sums, 0, self->fields * sizeof *self->sums);
    for (Py_ssize_t at = 0; at < distinct; at++) {
        uint64_t times = rules->binary ? 1 : self->occurrences[found[at]];
        self->occurrences[found[at]] = 0;
        read_row(self, found[at]);
        if (times > 1 && rules->sublinear) {
            double value = log((double)times) + 1.0;
            for (size_t field = 0; field < self->fields; field++)
                self->sums[field] += as_double(self->row[field]) * value;
            if (rules->has_squares)
                self->sums[0] += as_double(self->row[0]) * value * (value - 1.0);
            continue;
        }
        for (size_t field = 0; field < self->fields; field++)
            self->total[field] += self->row[field] * times;
        if (rules->has_squares && times > 1) {
            repeats += times * (times - 1) / 2;
            repeated_squares += self->row[0] * (times * (times - 1) / 2);
        }
    }
    for (size_t field = 0; field < self->fields; field++)
        self->sums[field] += as_double(self->total[field]);
    /* n squares were added for a term that occurs n times, and it is to have n * n */
    if (repeats > 0) self->sums[0] += 2.0 * as_double(repeated_squares);
    return repeats <= (uint64_t)rules->most;
}

/* A text's rows, for the caller to free, and in `count` their number. NULL with an error set. */
static uint32_t *rows_of_text(Index *self, PyObject *text, Py_ssize_t *count)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) return NULL;
    uint32_t *found = PyMem_Malloc(((size_t)size + 1) * sizeof *found);
    if (found == NULL) return (uint32_t *)PyErr_NoMemory();
    *count = find_rows(self, (const unsigned char *)bytes, (size_t)size, found);
    return found;
}

static PyObject *sum_text(Index *self, PyObject *text, const Rules *rules)
{
    Py_ssize_t count;
    uint32_t *found = rows_of_text(self, text, &count);
    if (found == NULL) return NULL;
    /* Before the scratch space is used: this may collect garbage, and so run anything. */
    PyObject *sums = PyTuple_New((Py_ssize_t)self->fields);
    if (sums != NULL && (count > rules->most || !add_rows(self, found, count, rules))) {
        Py_DECREF(sums);
        PyMem_Free(found);
        return Py_NewRef(Py_None);
    }
    PyMem_Free(found);
    for (Py_ssize_t field = 0; sums != NULL && field < (Py_ssize_t)self->fields; field++) {
        PyObject *number = PyFloat_FromDouble(self->sums[field]);
        if (number == NULL || PyTuple_SetItem(sums, field, number) < 0) Py_CLEAR(sums);
    }
    return sums;
}

static PyObject *Index_sums(Index *self, PyObject *arguments)
{
    PyObject *texts;
    Rules rules;
    if (!PyArg_ParseTuple(arguments, "O!pppn", &PyList_Type, &texts, &rules.binary,
                          &rules.sublinear, &rules.has_squares, &rules.most))
        return NULL;
    PyObject *all = PyList_New(PyList_Size(texts));
    for (Py_ssize_t at = 0; all != NULL && at < PyList_Size(all); at++) {
        PyObject *text = PyList_GetItem(texts, at);
        PyObject *sums = text == NULL ? NULL : sum_text(self, text, &rules);
        if (sums == NULL || PyList_SetItem(all, at, sums) < 0) Py_CLEAR(all);
    }
    return all;
}

static PyObject *Index_columns(Index *self, PyObject *text)
{
    Py_ssize_t count;
    uint64_t met = self->met, unknown = self->unknown;
    uint32_t *found = rows_of_text(self, text, &count);
    self->met = met, self->unknown = unknown; /* sums has counted them */
    if (found == NULL) return NULL;
    PyObject *columns = PyList_New(count);
    for (Py_ssize_t at = 0; columns != NULL && at < count; at++) {
        PyObject *column = PyLong_FromUnsignedLong(column_of(self, found[at]));
        if (column == NULL || PyList_SetItem(columns, at, column) < 0) Py_CLEAR(columns);
    }
    PyMem_Free(found);
    return columns;
}

static PyObject *Index_terms_met(Index *self, PyObject *nothing)
{
    (void)nothing;
    return Py_BuildValue("(KK)", (unsigned long long)self->met, (unsigned long long)self->unknown);
}

/* A power of two, at most half of which is used; the slots are zeros. */
static void *make_slots(size_t used, size_t slot_bytes, uint32_t *mask)
{
    size_t size = 2;
    while (size < 2 * used) size *= 2;
    *mask = (uint32_t)(size - 1);
    return PyMem_Calloc(size, slot_bytes);
}

/* Of two that are the same the last counts: a word to ignore may be known, too. */
static void insert_words(Index *self, size_t size)
{
    size_t at = 0;
    for (uint32_t word = 0; word < self->word_count; word++, at++) {
        uint32_t hash = HASH_START;
        size_t start = at;
        for (; at < size && self->words[at] != '\n'; at++) hash = HASH_STEP(hash, self->words[at]);
        self->starts[word] = (uint32_t)start;
        self->starts[word + 1] = (uint32_t)at + 1;
        *find_slot(self, self->words + start, at - start, hash) = (WordSlot){hash, word + 1};
    }
}

static void insert_pairs(Index *self)
{
    for (uint32_t pair = 0; pair < self->pair_count; pair++)
        *find_pair_slot(self, first_of(self, pair), second_of(self, pair)) = pair + 1;
}

static int allocate(Index *self)
{
    size_t rows = (size_t)self->word_row_count + self->pair_count;
    self->starts = PyMem_Calloc((size_t)self->word_count + 1, sizeof *self->starts);
    self->word_slots = make_slots(self->word_count, sizeof *self->word_slots, &self->word_mask);
    self->pair_slots = make_slots(self->pair_count, sizeof *self->pair_slots, &self->pair_mask);
    self->occurrences = PyMem_Calloc(rows + 1, sizeof *self->occurrences);
    self->row = PyMem_Calloc(self->fields + 1, sizeof *self->row);
    self->total = PyMem_Calloc(self->fields + 1, sizeof *self->total);
    self->sums = PyMem_Calloc(self->fields + 1, sizeof *self->sums);
    return self->starts && self->word_slots && self->pair_slots && self->occurrences && self->row
        && self->total && self->sums;
}

/* Take the files' contents over; false where their sizes do not fit together. */
static int take_files(Index *self, Py_ssize_t known, Py_ssize_t fields)
{
    PyObject *words = PyTuple_GetItem(self->files, 0), *pairs = PyTuple_GetItem(self->files, 1);
    PyObject *rows = PyTuple_GetItem(self->files, 2);
    Py_ssize_t words_size = PyBytes_Size(words), pairs_size = PyBytes_Size(pairs);
    if (fields < 0 || fields > 1 << 20 || words_size >= INT32_MAX || pairs_size % 8) return 0;
    Py_ssize_t row_bytes = COLUMN_BYTES + FIELD_BYTES * fields + COUNT_BYTES;
    Py_ssize_t pair_count = pairs_size / 8, row_count = PyBytes_Size(rows) / row_bytes;
    if (PyBytes_Size(rows) % row_bytes || row_count >= INT32_MAX) return 0;
    self->words = (const unsigned char *)PyBytes_AsString(words);
    self->pairs = (const unsigned char *)PyBytes_AsString(pairs);
    self->rows = (const unsigned char *)PyBytes_AsString(rows);
    self->word_count = 1;
    for (Py_ssize_t at = 0; at < words_size; at++) self->word_count += self->words[at] == '\n';
    if (known < 0 || known > self->word_count) return 0;
    if (row_count < pair_count || row_count - pair_count > known) return 0;
    self->known_count = (uint32_t)known;
    self->word_row_count = (uint32_t)(row_count - pair_count);
    self->pair_count = (uint32_t)pair_count;
    self->fields = (size_t)fields;
    self->row_bytes = (size_t)row_bytes;
    for (size_t number = 0; number < 2 * (size_t)pair_count; number++)
        if (load_number(self->pairs, number) >= self->known_count) return 0;
    return 1;
}

static PyObject *Index_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"words", "known", "pairs", "rows", "fields", NULL};
    PyObject *words, *pairs, *rows;
    Py_ssize_t known, fields;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SnSSn", names, &words, &known, &pairs,
                                     &rows, &fields))
        return NULL;
    Index *self = (Index *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->files = PyTuple_Pack(3, words, pairs, rows);
    if (self->files == NULL)
        ; /* with its own error */
    else if (!take_files(self, known, fields))
        PyErr_Format(PyExc_ValueError, "%zd words, %zd bytes of pairs and %zd of rows do not fit",
                     known, PyBytes_Size(pairs), PyBytes_Size(rows));
    else if (!allocate(self))
        PyErr_NoMemory();
    else {
        insert_words(self, (size_t)PyBytes_Size(words));
        insert_pairs(self);
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return NULL;
}

static void Index_dealloc(Index *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->files);
    PyMem_Free(self->starts);
    PyMem_Free(self->word_slots);
    PyMem_Free(self->pair_slots);
    PyMem_Free(self->occurrences);
    PyMem_Free(self->row);
    PyMem_Free(self->total);
    PyMem_Free(self->sums);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"sums", (PyCFunction)Index_sums, METH_VARARGS, NULL},
    {"columns", (PyCFunction)Index_columns, METH_O, NULL},
    {"is_sound", (PyCFunction)Index_is_sound, METH_VARARGS, NULL},
    {"terms_met", (PyCFunction)Index_terms_met, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef functions[] = {
    {"largest", largest, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, Index_new},
    {Py_tp_dealloc, Index_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    "function.compiled._native.Index", sizeof(Index), 0, Py_TPFLAGS_DEFAULT, slots,
};

static int execute(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    int failed = type == NULL || PyModule_AddObjectRef(module, "Index", type) < 0
        || PyModule_AddIntMacro(module, VERSION) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_native", "See native.py.", 0, functions, module_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
