/* Words and pairs of words in C: what pairs.py and quick.py do, a text in 1.5 microseconds.

    module.c   the module and what it offers
    words.c    Index: the words and pairs of a vocabulary, and those of a text
    rows.c     what a text's terms add up to, and whether a vocabulary's numbers can be added up

Who owns what. A vocabulary stays as its files have it (artifact.py): the words one after the other,
two numbers for each pair, a packed row (rows.py) for each term. An Index holds a reference to these
three `bytes`, which nobody changes, and reads them in place; it allocates two hash tables of numbers
that lead into them, and scratch space for one text. What a text's rows are written to is the
caller's, for that call.

Why no read leaves its bytes. Sizes and numbers are checked once, in `take_files`, before anything is
read by them: the rows are whole ones, as many as there are words with rows and pairs; a pair's two
words are below `known_count`. Words are found by their newlines, and `starts` has one entry more
than there are words. A slot holds 0 or a number that was inserted, plus one; at most half the slots
are used, so a search ends. A row's number comes from the tables alone.

Texts come in lower case where the model wants that: those in ASCII whole, others as the words that
Python found in them, between spaces. Python's lock is held throughout, and while the scratch space
is in use nothing is called that could run Python code: it is one text's at a time. */

#ifndef FUNCTION_NATIVE_H
#define FUNCTION_NATIVE_H

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

static inline uint32_t load_number(const unsigned char *numbers, size_t position)
{
    uint32_t number;
    memcpy(&number, numbers + position * sizeof number, sizeof number);
    return number;
}

/* Written out, these are one instruction each. */
static inline uint64_t load_column(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load_field(const unsigned char *at)
{
    return load_column(at) | load_column(at + 4) << 32;
}

static inline uint32_t first_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, pair);
}

static inline uint32_t second_of(const Index *self, uint32_t pair)
{
    return load_number(self->pairs, (size_t)self->pair_count + pair);
}

/* rows.c */

/* The column of the row's term. */
uint32_t column_of(const Index *self, uint32_t row);

/* Add the rows up into `sums`, as quick.py does. False where a field could have run over. */
int add_rows(Index *self, uint32_t *found, Py_ssize_t count, const Rules *rules);

/* Whether a row could be a term's, of so many columns and with so many squares before its scores:
what rows.py, RowLayout.check asks. */
int is_sound_row(Index *self, uint32_t row, uint64_t columns, size_t squares);

/* words.c; each file adds what it offers to the module, 0 where that has failed */
int add_index(PyObject *module);

#endif
