/* Packed rows (rows.py): the terms' columns, and whether the numbers can be added up. See native.h.

Only Python adds them up; here they are checked, so that a folder that loads loads everywhere. */

#include "native.h"

#define COLUMN_BYTES 4
#define FIELD_BYTES 8
#define COUNT_BYTES 1
#define LARGEST_FIELD (INT64_C(5) << 48) /* rows.py */
#define MOST_FIELDS (1 << 20)

int open_rows(Rows *rows, PyObject *packed, Py_ssize_t fields)
{
    Py_ssize_t size = PyBytes_Size(packed);
    rows->bytes = (const byte *)PyBytes_AsString(packed);
    if (fields >= 0 && fields <= MOST_FIELDS) {
        Py_ssize_t row_bytes = COLUMN_BYTES + FIELD_BYTES * fields + COUNT_BYTES;
        rows->fields = (size_t)fields;
        rows->row_bytes = (size_t)row_bytes;
        if (size % row_bytes == 0 && size / row_bytes < INT32_MAX) {
            rows->count = rows->alone = (uint32_t)(size / row_bytes);
            return 1;
        }
    }
    PyErr_Format(PyExc_ValueError, "%zd bytes are not rows of %zd fields", size, fields);
    return 0;
}

/* Written out, these are one instruction each. */
static uint64_t load_column(const byte *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t load_field(const byte *at)
{
    return load_column(at) | load_column(at + 4) << 32;
}

static const byte *row_at(const Rows *rows, uint32_t row)
{
    return rows->bytes + row * rows->row_bytes;
}

/* The row that is part of this one, or NULL. */
static const byte *row_within(const Rows *rows, uint32_t row)
{
    if (row < rows->alone) return NULL;
    uint32_t second = load_number(rows->seconds, row - rows->alone);
    return second < rows->alone ? row_at(rows, second) : NULL;
}

uint32_t column_of(const Rows *rows, uint32_t row)
{
    const byte *within = row_within(rows, row);
    uint64_t column = load_column(row_at(rows, row));
    return (uint32_t)(within == NULL ? column : column - load_column(within));
}

/* A field and what it has borrowed from the next; one below zero has. */
static uint64_t take_field(const byte *row, size_t field, uint64_t *borrowed)
{
    uint64_t packed = load_field(row + COLUMN_BYTES + field * FIELD_BYTES), own = packed + *borrowed;
    *borrowed = packed >> 63;
    return own;
}

static int is_sound(const Rows *rows, uint32_t row, uint64_t columns, size_t squares)
{
    const byte *packed = row_at(rows, row), *within = row_within(rows, row);
    uint64_t column = load_column(packed), borrowed = 0, borrowed_within = 0;
    if (within != NULL) column -= load_column(within); /* wraps where it is below 0 */
    if (column >= columns) return 0;
    for (size_t field = 0; field < rows->fields; field++) {
        uint64_t own = take_field(packed, field, &borrowed);
        if (within != NULL) own -= take_field(within, field, &borrowed_within);
        int64_t value = (int64_t)own;
        if (value >= LARGEST_FIELD || value < (field < squares ? 0 : -LARGEST_FIELD)) return 0;
    }
    return packed[rows->row_bytes - COUNT_BYTES] + borrowed == (within == NULL ? 1 : 2);
}

int are_sound(const Rows *rows, uint64_t columns, size_t squares)
{
    for (uint32_t row = 0; row < rows->count; row++)
        if (!is_sound(rows, row, columns, squares)) return 0;
    return 1;
}
