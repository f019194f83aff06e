/* Any other terms, and the n-grams of a text. See native.h.

An n-gram is so many units in a row: characters, or tokens with a space after each. Units stand one
after the other in bytes of their own, so an n-gram is what lies between two of them: it is hashed
where it stands, and one that is longer goes on where the one before it ended. */

#include "native.h"

typedef struct {
    byte *bytes;
    uint32_t *starts; /* of each unit, and the end of the last */
    size_t count, size;
} Units;

/* Room for `size` bytes, and units of one byte at least. */
static int open_units(Units *units, size_t size)
{
    units->count = units->size = 0;
    units->bytes = PyMem_Malloc(size + 1);
    units->starts = PyMem_Malloc((size + 2) * sizeof *units->starts);
    if (units->bytes != NULL && units->starts != NULL) return 1;
    PyErr_NoMemory();
    return 0;
}

static void close_units(Units *units)
{
    PyMem_Free(units->bytes);
    PyMem_Free(units->starts);
}

static void add_unit(Units *units, const byte *from, size_t size)
{
    units->starts[units->count++] = (uint32_t)units->size;
    for (size_t at = 0; at < size; at++) units->bytes[units->size + at] = from[at];
    units->size += size;
    units->starts[units->count] = (uint32_t)units->size;
}

static const byte A_SPACE[] = " ";

static void add_token(Units *units, const byte *from, size_t size)
{
    add_unit(units, from, size);
    units->bytes[units->size++] = ' ';
    units->starts[units->count] = (uint32_t)units->size;
}

/* Add a character, and return what follows it. */
static const byte *add_character(Units *units, const byte *at, const byte *end)
{
    const byte *next = at + 1;
    while (next < end && (*next & 0xC0) == 0x80) next++;
    add_unit(units, at, (size_t)(next - at));
    return next;
}

/* How many n-grams so many units have. */
static uint64_t n_grams_of(const Vocabulary *self, size_t count)
{
    uint64_t shortest = self->shortest, longest = self->longest < count ? self->longest : count;
    if (longest < shortest) return 0;
    return (longest - shortest + 1) * (2 * (count + 1) - shortest - longest) / 2;
}

static void hash_n_grams(Vocabulary *self, const byte *bytes, const uint32_t *starts, size_t count,
                         uint32_t gap)
{
    if (self->shortest == 0)
        for (size_t place = 0; place <= count; place++) meet_hashed(self, bytes, 0);
    for (size_t first = 0; first < count; first++) {
        size_t longest = self->longest < count - first ? self->longest : count - first;
        for (size_t size = self->shortest > 0 ? self->shortest : 1; size <= longest; size++)
            meet_hashed(self, bytes + starts[first], starts[first + size] - gap - starts[first]);
    }
}

/* Meet the n-grams of `count` units; `gap` is what follows each unit and is not part of one that is
the last. */
static void meet_n_grams(Vocabulary *self, const byte *bytes, const uint32_t *starts, size_t count,
                         uint32_t gap)
{
    if (self->features > 0) {
        hash_n_grams(self, bytes, starts, count, gap);
        return;
    }
    uint64_t all = n_grams_of(self, count), known = 0;
    uint32_t nothing = self->shortest > 0 ? NOT_FOUND : find_term(&self->terms, bytes, 0, HASH_START);
    if (nothing != NOT_FOUND)
        for (; known <= count; known++) meet(self, nothing);
    for (size_t first = 0; first < count; first++) {
        uint32_t hash = HASH_START;
        const byte *start = bytes + starts[first], *at = start;
        size_t longest = self->longest < count - first ? self->longest : count - first;
        for (size_t size = 1; size <= longest; size++) {
            const byte *end = bytes + starts[first + size] - gap;
            if (end - start > self->terms.longest) break;
            for (; at < end; at++) hash = HASH_STEP(hash, *at);
            if (size < self->shortest) continue;
            uint32_t term = find_term(&self->terms, start, (size_t)(end - start), hash);
            if (term == NOT_FOUND) continue;
            meet(self, term);
            known++;
        }
    }
    self->met += all;
    self->unknown += all - known;
}

/* analyzer.char_ngrams: runs of white space, of two characters at least, count as a space. */
static void meet_characters(Vocabulary *self, Units *units, const Text *text)
{
    const byte *end = text->bytes + text->size;
    for (const byte *at = text->bytes; at < end;) {
        size_t space = space_at(at, end);
        if (space == 0 || at + space == end || space_at(at + space, end) == 0) {
            at = add_character(units, at, end);
            continue;
        }
        for (; at < end && (space = space_at(at, end)) > 0; at += space) {}
        add_unit(units, A_SPACE, 1);
    }
    meet_n_grams(self, units->bytes, units->starts, units->count, 0);
}

/* One that is shorter than any n-gram is met whole. */
static void meet_padded(Vocabulary *self, const byte *bytes, const uint32_t *starts, size_t count)
{
    if (count >= self->shortest) {
        meet_n_grams(self, bytes, starts, count, 0);
        return;
    }
    if (self->longest < self->shortest) return; /* there are none */
    const byte *word = bytes + starts[0];
    size_t size = starts[count] - starts[0];
    if (self->features > 0) {
        meet_hashed(self, word, size);
        return;
    }
    uint32_t term = find_term(&self->terms, word, size, hash_of(word, size));
    self->met++;
    if (term == NOT_FOUND) self->unknown++;
    else meet(self, term);
}

/* analyzer.char_wb_ngrams; words share the space between them. */
static void meet_padded_words(Vocabulary *self, Units *units, const Text *text)
{
    const byte *end = text->bytes + text->size;
    size_t first = 0, space;
    add_unit(units, A_SPACE, 1);
    for (const byte *at = text->bytes; at < end;) {
        if ((space = space_at(at, end)) > 0) {
            at += space;
            continue;
        }
        while (at < end && space_at(at, end) == 0) at = add_character(units, at, end);
        add_unit(units, A_SPACE, 1);
        meet_padded(self, units->bytes, units->starts + first, units->count - first);
        first = units->count - 1;
    }
}

/* Runs of what is of a token, those that are too short and those to ignore left out. */
static void meet_words(Vocabulary *self, Units *units, const Text *text)
{
    for (size_t at = 0; at < text->size; at++) {
        size_t start = at;
        while (at < text->size && self->is_of_token[text->bytes[at]]) at++;
        const byte *token = text->bytes + start;
        size_t size = at - start;
        if (size == 0 || size < self->shortest_token) continue;
        if (self->ignored.count > 0
            && find_term(&self->ignored, token, size, hash_of(token, size)) != NOT_FOUND)
            continue;
        add_token(units, token, size);
    }
    meet_n_grams(self, units->bytes, units->starts, units->count, 1);
}

static int find_in_text(Vocabulary *self, PyObject *string)
{
    Text text;
    Units units;
    if (!open_text(string, &text)) return 0;
    int opened = open_units(&units, text.size + 2); /* spaces around words, or after them */
    if (!opened)
        ; /* with its own error */
    else if (self->analyzer == WORDS)
        meet_words(self, &units, &text);
    else if (self->analyzer == CHARACTERS)
        meet_characters(self, &units, &text);
    else
        meet_padded_words(self, &units, &text);
    close_units(&units);
    close_text(&text);
    return opened;
}

/* Tokens that Python found; they may be anything, nothing too. */
static int find_in_tokens(Vocabulary *self, PyObject *tokens)
{
    Py_ssize_t count = PyList_Size(tokens);
    Text *texts = PyMem_Calloc((size_t)count + 1, sizeof *texts);
    if (texts == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    Units units = {NULL, NULL, 0, 0};
    Py_ssize_t opened = 0;
    size_t size = 0;
    for (; opened < count; opened++) {
        PyObject *token = PyList_GetItem(tokens, opened);
        if (token == NULL || !open_text(token, &texts[opened])) break;
        size += texts[opened].size + 1;
    }
    int is_open = opened == count && size < LARGEST_TEXT && open_units(&units, size);
    if (is_open) {
        for (Py_ssize_t at = 0; at < count; at++) add_token(&units, texts[at].bytes, texts[at].size);
        meet_n_grams(self, units.bytes, units.starts, units.count, 1);
    } else if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "tokens of %zu bytes", size);
    while (opened > 0) close_text(&texts[--opened]);
    close_units(&units);
    PyMem_Free(texts);
    return is_open;
}

int find_terms(Vocabulary *self, PyObject *text)
{
    return PyList_Check(text) ? find_in_tokens(self, text) : find_in_text(self, text);
}

int take_analyzer(Vocabulary *self, const char *name, Py_ssize_t shortest, Py_ssize_t longest,
                  PyObject *letters, Py_ssize_t shortest_token)
{
    static const char *names[] = {"word", "char", "char_wb"};
    int analyzer = WORDS;
    while (analyzer <= PADDED_WORDS && strcmp(name, names[analyzer]) != 0) analyzer++;
    if (analyzer > PADDED_WORDS || shortest < 0 || longest < 0 || shortest_token < 0
        || PyBytes_Size(letters) != sizeof self->is_of_token) {
        PyErr_Format(PyExc_ValueError, "n-grams of %zd to %zd, analyzer %s", shortest, longest, name);
        return 0;
    }
    self->analyzer = (Analyzer)analyzer;
    self->shortest = (size_t)shortest;
    self->longest = (size_t)longest;
    self->shortest_token = (size_t)shortest_token;
    memcpy(self->is_of_token, PyBytes_AsString(letters), sizeof self->is_of_token);
    return 1;
}

/* Between separators; no terms where there are no rows and nothing in the file. */
static int take_terms(Vocabulary *self, PyObject *terms, PyObject *separator, PyObject *rows,
                      Py_ssize_t fields)
{
    const byte *bytes = (const byte *)PyBytes_AsString(terms);
    if (!open_rows(&self->rows, rows, fields)) return 0;
    if (!open_table(&self->terms, bytes, (size_t)PyBytes_Size(terms),
                    (const byte *)PyBytes_AsString(separator), (size_t)PyBytes_Size(separator)))
        return 0;
    if (self->rows.count == 0 && PyBytes_Size(terms) == 0) {
        self->terms.count = 0;
        memset(self->terms.slots, 0, (self->terms.mask + (size_t)1) * sizeof *self->terms.slots);
    }
    if (self->terms.count == self->rows.count) return 1;
    PyErr_Format(PyExc_ValueError, "%lu terms and %lu rows", (unsigned long)self->terms.count,
                 (unsigned long)self->rows.count);
    return 0;
}

int take_ignored(Vocabulary *self, PyObject *ignored)
{
    const byte *bytes = (const byte *)PyBytes_AsString(ignored);
    size_t size = (size_t)PyBytes_Size(ignored);
    return size == 0 || open_table(&self->ignored, bytes, size, (const byte *)"\n", 1);
}

static PyObject *Terms_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"terms", "separator", "rows", "fields", "analyzer", "shortest",
                            "longest", "ignored", "letters", "shortest_token", NULL};
    PyObject *terms, *separator, *rows, *ignored, *letters;
    Py_ssize_t fields, shortest, longest, shortest_token;
    const char *analyzer;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SSSnsnnSSn", names, &terms, &separator,
                                     &rows, &fields, &analyzer, &shortest, &longest, &ignored,
                                     &letters, &shortest_token))
        return NULL;
    Vocabulary *self = (Vocabulary *)PyType_GenericAlloc(type, 0);
    if (self == NULL) return NULL;
    self->find = find_terms;
    self->files = PyTuple_Pack(3, terms, separator, ignored);
    self->packed = Py_NewRef(rows);
    if (self->files == NULL
        || !take_analyzer(self, analyzer, shortest, longest, letters, shortest_token)
        || !take_terms(self, terms, separator, rows, fields) || !take_ignored(self, ignored)
        || !make_space(self))
        Py_CLEAR(self);
    return (PyObject *)self;
}

int add_terms(PyObject *module)
{
    return add_vocabulary(module, "function.compiled._native.Terms", Terms_new);
}
