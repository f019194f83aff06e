/* Packed rows (rows.py): what a text's terms add up to. See native.h. */

#include "native.h"

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

uint32_t column_of(const Index *self, uint32_t row)
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

int is_sound_row(Index *self, uint32_t row, uint64_t columns, size_t squares)
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

static double as_double(uint64_t field)
{
    return (double)(int64_t)field;
}

int add_rows(Index *self, uint32_t *found, Py_ssize_t count, const Rules *rules)
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
