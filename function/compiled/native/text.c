/* A text's bytes, and what is white space in them. See native.h. */

#include "native.h"

int open_text(PyObject *string, Text *text)
{
    Py_ssize_t size;
    text->held = NULL;
    text->bytes = (const byte *)PyUnicode_AsUTF8AndSize(string, &size);
    if (text->bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return 0;
        PyErr_Clear();
        text->held = PyUnicode_AsEncodedString(string, "utf-8", "surrogatepass");
        if (text->held == NULL) return 0;
        text->bytes = (const byte *)PyBytes_AsString(text->held);
        size = PyBytes_Size(text->held);
    }
    text->size = (size_t)size;
    if (size < LARGEST_TEXT) return 1;
    close_text(text);
    PyErr_Format(PyExc_ValueError, "a text of %zd bytes", size);
    return 0;
}

void close_text(Text *text)
{
    Py_CLEAR(text->held);
}

/* What str.isspace and \s say. */
static int is_space(uint32_t code)
{
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A)
        || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

size_t space_at(const byte *at, const byte *end)
{
    if (*at < 128) return (*at >= '\t' && *at <= '\r') || (*at >= 0x1C && *at <= ' ');
    if (*at == 0xC2 && end - at >= 2) return is_space(at[1]) ? 2 : 0; /* below U+00C0 */
    if (*at < 0xE1 || *at > 0xE3 || end - at < 3) return 0;
    uint32_t code = (uint32_t)(at[0] & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
    return is_space(code) ? 3 : 0;
}
