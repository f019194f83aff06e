/* Terms one after the other, found by their bytes. See native.h. */

#include "native.h"

void *make_slots(size_t used, size_t slot_bytes, uint32_t *mask)
{
    size_t size = 2;
    while (size < 2 * used) size *= 2;
    *mask = (uint32_t)(size - 1);
    void *slots = PyMem_Calloc(size, slot_bytes);
    return slots == NULL ? PyErr_NoMemory() : slots;
}

uint32_t hash_of(const byte *text, size_t length)
{
    uint32_t hash = HASH_START;
    for (size_t at = 0; at < length; at++) hash = HASH_STEP(hash, text[at]);
    return hash;
}

static uint32_t length_of(const Table *table, uint32_t term)
{
    return table->starts[term + 1] - table->starts[term] - table->separator_size;
}

/* The slot of the term, or an empty one where it belongs. */
static Slot *find_slot(const Table *table, const byte *text, size_t length, uint32_t hash)
{
    for (uint32_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        Slot *slot = &table->slots[at];
        if (slot->term == 0) return slot;
        if (slot->hash == hash && length_of(table, slot->term - 1) == length
            && memcmp(table->bytes + table->starts[slot->term - 1], text, length) == 0)
            return slot;
    }
}

uint32_t find_term(const Table *table, const byte *text, size_t length, uint32_t hash)
{
    return find_slot(table, text, length, hash)->term - 1;
}

/* The next separator, or the end. */
static size_t end_of_term(const Table *table, size_t at, size_t size, const byte *separator)
{
    size_t length = table->separator_size;
    for (; at < size; at++) {
        const byte *found = memchr(table->bytes + at, separator[0], size - at);
        if (found == NULL) return size;
        at = (size_t)(found - table->bytes);
        if (size - at < length) return size;
        if (memcmp(found, separator, length) == 0) return at;
    }
    return size;
}

int open_table(Table *table, const byte *bytes, size_t size, const byte *separator, size_t length)
{
    if (length == 0 || length > 16 || size >= LARGEST_TEXT) {
        PyErr_Format(PyExc_ValueError, "terms of %zu bytes, a separator of %zu", size, length);
        return 0;
    }
    table->bytes = bytes;
    table->separator_size = (uint32_t)length;
    size_t count = 1;
    for (size_t at = 0; (at = end_of_term(table, at, size, separator)) < size; at += length) count++;
    table->slots = make_slots(count, sizeof *table->slots, &table->mask);
    table->starts = PyMem_Calloc(count + 1, sizeof *table->starts);
    if (table->slots == NULL || table->starts == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    table->count = (uint32_t)count;
    size_t start = 0;
    uint64_t steps = 0;
    for (uint32_t term = 0; term < table->count; term++) {
        size_t end = end_of_term(table, start, size, separator);
        uint32_t term_size = (uint32_t)(end - start), hash = hash_of(bytes + start, term_size);
        table->starts[term] = (uint32_t)start;
        table->starts[term + 1] = (uint32_t)(end + length);
        Slot *slot = find_slot(table, bytes + start, term_size, hash);
        *slot = (Slot){hash, term + 1};
        steps += ((uint32_t)(slot - table->slots) - hash) & table->mask;
        if (steps > most_steps(count)) {
            PyErr_SetString(PyExc_ValueError, "terms that were made to be hard to find");
            return 0;
        }
        if (term_size > table->longest) table->longest = term_size;
        start = end + length;
    }
    return 1;
}

void close_table(Table *table)
{
    PyMem_Free(table->starts);
    PyMem_Free(table->slots);
}
