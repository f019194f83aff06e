/* What a text's terms add up to: faithful.py, operation by operation. See native.h.

In scikit-learn's own order, columns ascending, so that the bits are the same: no two operations may
become one (build.py says so to the compiler). */

#include "native.h"

#define FEW 32

static void sort_few(uint64_t *keys, size_t count)
{
    for (size_t at = 1; at < count; at++) {
        uint64_t key = keys[at];
        size_t to = at;
        for (; to > 0 && keys[to - 1] > key; to--) keys[to] = keys[to - 1];
        keys[to] = key;
    }
}

/* By the upper half, eleven bits at a time; `into` is as large. Three rounds end in `into`. */
static void sort_many(const uint64_t *keys, size_t count, uint64_t *into, uint64_t *spare)
{
    for (int shift = 32; shift < 64; shift += 11) {
        size_t places[1 << 11] = {0}, place = 0;
        for (size_t at = 0; at < count; at++) places[keys[at] >> shift & 2047]++;
        for (size_t digit = 0; digit < 2048; digit++) {
            size_t size = places[digit];
            places[digit] = place;
            place += size;
        }
        for (size_t at = 0; at < count; at++) into[places[keys[at] >> shift & 2047]++] = keys[at];
        uint64_t *sorted = into;
        into = spare, spare = sorted, keys = sorted;
    }
}

uint64_t *keys_of(const Vocabulary *self, size_t count)
{
    return count > FEW ? self->spare : self->ranked;
}

void sort_keys(const Vocabulary *self, size_t count)
{
    if (count > FEW) sort_many(self->spare, count, self->ranked, self->spare);
    else sort_few(self->ranked, count);
}

size_t rank(Vocabulary *self)
{
    if (self->features > 0) return rank_hashed(self);
    size_t count = self->found_count;
    uint64_t *keys = keys_of(self, count);
    for (size_t at = 0; at < count; at++) {
        uint32_t row = self->found[at];
        keys[at] = (uint64_t)self->columns[row] << 32 | self->occurrences[row];
        self->occurrences[row] = 0;
    }
    self->found_count = 0;
    sort_keys(self, count);
    return count;
}

static double frequency(const Vocabulary *self, uint32_t count)
{
    if (self->weights.is_binary) return 1.0;
    double number = self->features > 0 ? (double)(int32_t)count : (double)count;
    return self->weights.is_sublinear ? log(number) + 1.0 : number;
}

/* Of what was ranked: where in the table it is. */
static size_t line_at(const Vocabulary *self, size_t at)
{
    return self->features > 0 ? self->found[at] : self->ranked[at] >> 32;
}

static double length_of(const Weights *weights, const double *values, size_t count)
{
    double total = 0.0;
    if (weights->norm == L1)
        for (size_t at = 0; at < count; at++) total += fabs(values[at]);
    if (weights->norm == L2) {
        for (size_t at = 0; at < count; at++) total += values[at] * values[at];
        total = sqrt(total);
    }
    return total == 0.0 ? 1.0 : total;
}

size_t evaluate(Vocabulary *self)
{
    const Weights *weights = &self->weights;
    const byte *table = (const byte *)PyBytes_AsString(weights->table);
    size_t count = rank(self), line = 1 + weights->scores;
    for (size_t at = 0; at < count; at++) {
        double idf = load_double(table, line_at(self, at) * line);
        self->values[at] = frequency(self, (uint32_t)self->ranked[at]) * idf;
    }
    double length = length_of(weights, self->values, count);
    for (size_t at = 0; at < count; at++) {
        double value = self->values[at] / length * weights->scale;
        if (weights->is_binarized) value = value > weights->threshold ? 1.0 : 0.0;
        self->values[at] = value;
    }
    return count;
}

void add_scores(Vocabulary *self, double *totals)
{
    const Weights *weights = &self->weights;
    const byte *table = (const byte *)PyBytes_AsString(weights->table);
    size_t count = evaluate(self), line = 1 + weights->scores;
    for (size_t at = 0; at < count; at++) {
        const byte *own = table + (line_at(self, at) * line + 1) * sizeof(double);
        for (size_t score = 0; score < weights->scores; score++)
            totals[score] += self->values[at] * load_double(own, score);
    }
}
