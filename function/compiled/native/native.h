/* Vocabularies and scores in C: what terms.py, pairs.py and faithful.py do, a text in a microsecond.

    module.c      the module and what it offers
    text.c        a text's bytes, and what is white space in them
    table.c       Table: terms one after the other, found by their bytes
    rows.c        Rows: the vocabulary's columns, and whether its numbers can be added up
    pairs.c       Pairs: words and pairs of words, and those of a text
    terms.c       Terms: any other terms, and the n-grams of a text
    hashed.c      Hashed: terms that are known by their hashes
    vocabulary.c  what all of them are in Python
    scores.c      what a text's terms add up to, in scikit-learn's order and to the same bits
    values.c      texts that come as their values
    forest.c      what a text comes to in decision trees
    kernels.c     what it comes to beside support vectors
    layers.c      scores to those of the next layer
    decision.c    scores to probabilities

Who owns what. A vocabulary stays as its files have it (artifact.py): terms one after the other, two
numbers for each pair, a packed row (rows.py) and a line of the table for each term. A Vocabulary
holds references to these `bytes`, which nobody changes, and reads them in place; it allocates hash
tables of numbers that lead into them, the terms' columns, and scratch space for one text. Once rows
have been checked their columns are all that is needed, and `let_rows_go` releases them. A text's
bytes are Python's, and what is made of them the finder's, for that call.

Why no read leaves its bytes. Sizes and numbers are checked once, before anything is read by them:
`open_rows` sees that the rows are whole ones, `Pairs_new` and `Terms_new` that they are as many as
there are terms to have them, and that a pair's two words are among the words; `weigh` sees that the
table has a line for each column. A Table's `starts` has one entry more than there are terms. A slot
holds 0, or the number of a term plus one; at most half the slots are used, so a search ends. What
finders give to `meet` are rows' numbers from these tables, no others. Scratch space has an entry for
each row, and a text uses each once; a Hashed's has `room` entries, and more before one more is met.
A line of its table is looked for among `own_columns`, whatever these are. A text is below 2 GiB, or
it is refused.

Why nothing comes in between. Python's lock is held throughout. A finder first makes bytes of its
text, which may run any Python code (a garbage collection), and then `meet`s terms; from there until
the scores are added up nothing of Python is called, so scratch space is one text's at a time. */

#ifndef FUNCTION_NATIVE_H
#define FUNCTION_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <math.h>
#include <string.h>

#define VERSION 11 /* native.py's: a module that is older than it is left alone */
#define NOT_FOUND UINT32_MAX
#define LARGEST_TEXT INT32_MAX

typedef unsigned char byte;

static inline uint32_t load_number(const byte *numbers, size_t position)
{
    uint32_t number;
    memcpy(&number, numbers + position * sizeof number, sizeof number);
    return number;
}

static inline double load_double(const byte *doubles, size_t position)
{
    double number;
    memcpy(&number, doubles + position * sizeof number, sizeof number);
    return number;
}

#define HASH_START UINT32_C(2166136261) /* FNV-1a */
#define HASH_STEP(hash, byte) (((hash) ^ (byte)) * UINT32_C(16777619))

/* text.c */

/* A text as UTF-8, lone surrogates too; `held` is released by close_text. */
typedef struct {
    const byte *bytes;
    size_t size;
    PyObject *held;
} Text;

/* False with an error set: for what is no `str`, and for what is too large. */
int open_text(PyObject *string, Text *text);
void close_text(Text *text);

/* How many bytes of white space begin a text that is not empty: 0, or those of one character. */
size_t space_at(const byte *at, const byte *end);

/* table.c */

typedef struct {
    uint32_t hash, term; /* the term's number plus one; 0 is an empty slot */
} Slot;

typedef struct {
    const byte *bytes;
    uint32_t count, mask, longest; /* in bytes */
    uint32_t separator_size;
    uint32_t *starts; /* of each term, and where one more would start */
    Slot *slots;
} Table;

/* Find the terms between separators, which are not empty. Of two that are the same the last counts.
False with an error set, for close_table to clean up. */
int open_table(Table *table, const byte *bytes, size_t size, const byte *separator, size_t length);
void close_table(Table *table);

/* The number of the term of that hash, or NOT_FOUND. */
uint32_t find_term(const Table *table, const byte *text, size_t length, uint32_t hash);
uint32_t hash_of(const byte *text, size_t length);

/* What is inserted may come so many slots after its own, all together: more is a file's that was made
for it, whose load and texts would take for ever. */
static inline uint64_t most_steps(size_t used)
{
    return 4096 + 16 * (uint64_t)used;
}

/* A power of two, at most half of which is used; the slots are zeros. NULL with an error set. */
void *make_slots(size_t used, size_t slot_bytes, uint32_t *mask);

/* rows.c */

/* Packed rows. Those from `alone` on are pairs', each with the row of its second word, where that has
one, in it already: of these `seconds` has the number. */
typedef struct {
    const byte *bytes, *seconds;
    size_t fields, row_bytes;
    uint32_t count, alone;
} Rows;

/* False with an error set where these are not whole rows, or too many. */
int open_rows(Rows *rows, PyObject *packed, Py_ssize_t fields);

uint32_t column_of(const Rows *rows, uint32_t row);

/* Whether all could be terms' rows, of so many columns and with so many squares before their scores:
what RowLayout.check asks. */
int are_sound(const Rows *rows, uint64_t columns, size_t squares);

/* vocabulary.c */

typedef enum { NO_NORM, L1, L2 } Norm;

/* What a text's terms are worth (vectorizer.py). */
typedef struct {
    PyObject *table; /* NULL before `weigh` */
    size_t scores;
    int is_binary, is_sublinear, is_binarized;
    Norm norm;
    double scale, threshold;
} Weights;

typedef enum { WORDS, CHARACTERS, PADDED_WORDS } Analyzer;

typedef struct Vocabulary {
    PyObject_HEAD
    /* Meet the terms of a text, as native.py prepares it; false with an error set, and none met. */
    int (*find)(struct Vocabulary *self, PyObject *text);
    PyObject *files; /* a tuple of all that is read in place, but for the rows */
    PyObject *packed; /* the rows; NULL, as rows.bytes, once they are let go */
    Table terms;
    Rows rows;
    uint64_t met, unknown; /* terms in the texts so far, but for those to ignore */
    Weights weights;
    uint32_t *columns, column_limit; /* of each row, and what all are below */
    /* scratch */
    uint32_t *occurrences; /* of each row; zeros between texts */
    uint32_t *found; /* the rows that occur; once a Hashed's are ranked, their lines */
    size_t found_count; /* 0 between texts */
    uint64_t *ranked, *spare;
    double *values;
    /* pairs.c */
    const byte *pairs;
    uint32_t known_count, *pair_slots, pair_mask;
    /* terms.c */
    Analyzer analyzer;
    size_t shortest, longest, shortest_token;
    Table ignored;
    byte is_of_token[256];
    /* hashed.c; no others have `features` */
    uint32_t features, own_count;
    const byte *own_columns; /* ascending, or nothing is found */
    int has_signs, has_no_room;
    size_t room;
} Vocabulary;

static inline void meet(Vocabulary *self, uint32_t row)
{
    if (self->occurrences[row]++ == 0) self->found[self->found_count++] = row;
}

/* What is allocated by the rows' number, once they are there; false with an error set. */
int make_space(Vocabulary *self);

/* Make a type of this vocabulary, and add it to the module; false with an error set. */
int add_vocabulary(PyObject *module, const char *name, newfunc make);

/* terms.c */

/* Meet the terms of a text, prepared, in which characters are to be found, or words; or of the words
themselves, as a list. */
int find_terms(Vocabulary *self, PyObject *text);

/* The sizes of n-grams, what tokens are made of, and of how many bytes at least; and the tokens that
are none. False with an error set. */
int take_analyzer(Vocabulary *self, const char *name, Py_ssize_t shortest, Py_ssize_t longest,
                  PyObject *letters, Py_ssize_t shortest_token);
int take_ignored(Vocabulary *self, PyObject *ignored);

/* hashed.c */

void meet_hashed(Vocabulary *self, const byte *term, size_t size);
size_t rank_hashed(Vocabulary *self); /* as rank */

/* scores.c */

/* Where so many keys, columns above what else there is, are to be; and sort them into `ranked`. In one
place for few of them, which is 0.6 microseconds a text sooner than from one into another. */
uint64_t *keys_of(const Vocabulary *self, size_t count);
void sort_keys(const Vocabulary *self, size_t count);

/* The columns met, ascending, each above the number of its occurrences: in `ranked`, and their
number. Empties the scratch space. */
size_t rank(Vocabulary *self);

/* Rank what was met, and say in `values` what each is worth; returns their number. */
size_t evaluate(Vocabulary *self);

/* Add what was met to the scores, and empty the scratch space. */
void add_scores(Vocabulary *self, double *totals);

/* A column's value in a text, as `values` gives them to Forest and Kernels. */
typedef struct {
    uint64_t column;
    double value;
} Value;

/* What makes so many values of one text its scores; false for a column that there is not. */
typedef int (*AddLine)(void *self, const byte *line, size_t count, double *scores);

/* values.c: add_up(lines, totals) of Forest and Kernels, of so many scores. */
PyObject *add_lines(void *self, PyObject *arguments, size_t scores, AddLine add);

/* module.c: which of so many names it is, or -1 with an error set that says what it is not. */
int place_of(const char *name, const char *const *names, int count, const char *what);

/* module.c: add a type; false with an error set, as what each file adds by it. */
int add_type(PyObject *module, const char *name, size_t size, newfunc make, destructor end,
             PyMethodDef *methods);
int add_forest(PyObject *module);
int add_hashed(PyObject *module);
int add_kernels(PyObject *module);
int add_pairs(PyObject *module);
int add_terms(PyObject *module);
PyObject *decide(PyObject *module, PyObject *arguments);
PyObject *pass_on(PyObject *module, PyObject *arguments);

/* decision.c */
double logistic(double score);

#endif
