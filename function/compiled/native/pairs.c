/* The words and pairs of words of a vocabulary, and those of a text. See native.h. */

#include "native.h"

static uint32_t first_of(const Vocabulary *self, uint32_t pair)
{
    return load_number(self->pairs, pair);
}

static uint32_t second_of(const Vocabulary *self, uint32_t pair)
{
    return load_number(self->rows.seconds, pair);
}

static uint32_t hash_pair(uint32_t first, uint32_t second)
{
    uint64_t mixed = ((uint64_t)first << 32 | second) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

/* The slot of the pair, or an empty one where it belongs. */
static uint32_t *find_pair_slot(const Vocabulary *self, uint32_t first, uint32_t second)
{
    uint32_t mask = self->pair_mask;
    for (uint32_t at = hash_pair(first, second) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &self->pair_slots[at];
        if (*slot == 0) return slot;
        if (first_of(self, *slot - 1) == first && second_of(self, *slot - 1) == second) return slot;
    }
}

static int is_of_word(byte at)
{
    byte letter = at | 32;
    return (letter >= 'a' && letter <= 'z') || (at >= '0' && at <= '9') || at == '_'
        || at >= 128; /* found by Python */
}

/* Texts come in lower case where the model wants that: those in ASCII whole, others as the words that
Python found in them, between spaces. */
static int Pairs_find(Vocabulary *self, PyObject *string)
{
    Text text;
    if (!open_text(string, &text)) return 0;
    uint32_t previous = NOT_FOUND;
    for (size_t at = 0; at < text.size; at++) {
        uint32_t hash = HASH_START;
        size_t start = at;
        for (; at < text.size && is_of_word(text.bytes[at]); at++)
            hash = HASH_STEP(hash, text.bytes[at]);
        if (at == start) continue;
        uint32_t word = find_term(&self->terms, text.bytes + start, at - start, hash);
        if (word != NOT_FOUND && word >= self->known_count) continue; /* breaks nothing up */
        self->met++;
        self->unknown += word == NOT_FOUND;
        if (word != NOT_FOUND && word < self->rows.alone) meet(self, word);
        if (word != NOT_FOUND && previous != NOT_FOUND) {
            uint32_t pair = *find_pair_slot(self, previous, word) - 1;
            if (pair != NOT_FOUND) meet(self, self->rows.alone + pair);
        }
        previous = word;
    }
    close_text(&text);
    return 1;
}

/* Take over where the words, pairs and rows are; false where they do not fit together. */
static int take_pairs(Vocabulary *self, Py_ssize_t known, PyObject *pairs)
{
    Py_ssize_t size = PyBytes_Size(pairs), count = size / 8, rows = self->rows.count;
    if (known < 0 || known > self->terms.count || size % 8) return 0;
    if (rows < count || rows - count > known) return 0;
    self->known_count = (uint32_t)known;
    self->pairs = (const byte *)PyBytes_AsString(pairs);
    self->rows.seconds = self->pairs + size / 2;
    self->rows.alone = (uint32_t)(rows - count);
    for (size_t number = 0; number < 2 * (size_t)count; number++)
        if (load_number(self->pairs, number) >= self->known_count) return 0;
    return 1;
}

static int insert_pairs(Vocabulary *self)
{
    uint32_t pairs = self->rows.count - self->rows.alone;
    self->pair_slots = make_slots(pairs, sizeof *self->pair_slots, &self->pair_mask);
    if (self->pair_slots == NULL) return 0;
    uint64_t steps = 0;
    for (uint32_t pair = 0; pair < pairs && steps <= most_steps(pairs); pair++) {
        uint32_t first = first_of(self, pair), second = second_of(self, pair);
        uint32_t *slot = find_pair_slot(self, first, second);
        *slot = pair + 1;
        steps += ((uint32_t)(slot - self->pair_slots) - hash_pair(first, second)) & self->pair_mask;
    }
    if (steps <= most_steps(pairs)) return 1;
    PyErr_SetString(PyExc_ValueError, "pairs that were made to be hard to find");
    return 0;
}

/* `words` are the known ones, those with rows first, then those to ignore, between newlines. */
static int fill(Vocabulary *self, PyObject *words, Py_ssize_t known, PyObject *pairs,
                PyObject *rows, Py_ssize_t fields)
{
    const byte *bytes = (const byte *)PyBytes_AsString(words);
    if (!open_rows(&self->rows, rows, fields)) return 0;
    if (!open_table(&self->terms, bytes, (size_t)PyBytes_Size(words), (const byte *)"\n", 1))
        return 0;
    if (!take_pairs(self, known, pairs)) {
        PyErr_Format(PyExc_ValueError, "%zd words, %zd bytes of pairs and %zd of rows do not fit",
                     known, PyBytes_Size(pairs), PyBytes_Size(rows));
        return 0;
    }
    return insert_pairs(self) && make_space(self);
}

static PyObject *Pairs_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"words", "known", "pairs", "rows", "fields", NULL};
    PyObject *words, *pairs, *rows;
    Py_ssize_t known, fields;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SnSSn", names, &words, &known, &pairs,
                                     &rows, &fields))
        return NULL;
    Vocabulary *self = (Vocabulary *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->find = Pairs_find;
    self->files = PyTuple_Pack(2, words, pairs);
    self->packed = Py_NewRef(rows);
    if (self->files == NULL || !fill(self, words, known, pairs, rows, fields)) Py_CLEAR(self);
    return (PyObject *)self;
}

int add_pairs(PyObject *module)
{
    return add_vocabulary(module, "function.compiled._native.Pairs", Pairs_new);
}
