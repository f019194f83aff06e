/* The words and pairs of words of a vocabulary, and those of a text. See native.h. */

#include "native.h"

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

static PyType_Slot slots[] = {
    {Py_tp_new, Index_new},
    {Py_tp_dealloc, Index_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    "function.compiled._native.Index", sizeof(Index), 0, Py_TPFLAGS_DEFAULT, slots,
};

int add_index(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    int added = type != NULL && PyModule_AddObjectRef(module, "Index", type) == 0;
    Py_XDECREF(type);
    return added;
}
