/* Results and errors, from the one list in the header. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    int http_status;
    int exit_code;
    const char *word;
    const char *text;
} results[] = {
#define X(name, status, exit_code, word, text) [name] = {status, exit_code, word, text},
    GW_RESULTS(X)
#undef X
};

static enum result known(enum result result)
{
    return (unsigned)result < GW_RESULT_COUNT ? result : GW_FAILED;
}

int result_http_status(enum result result)
{
    return results[known(result)].http_status;
}

int result_exit_code(enum result result)
{
    return results[known(result)].exit_code;
}

const char *result_word(enum result result)
{
    return results[known(result)].word;
}

const char *result_text(enum result result)
{
    return results[known(result)].text;
}

enum result result_from_word(struct slice word)
{
    for (unsigned i = 0; i < GW_RESULT_COUNT; i++)
        if (slice_equal(word, slice_from_string(results[i].word)))
            return (enum result)i;
    return GW_FAILED;
}

enum result error_set(struct error *err, enum result code, const char *format, ...)
{
    va_list args;

    err->code = code;
    /* By way of a copy: an argument may be err->text itself. */
    char text[sizeof err->text];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(err->text, text, sizeof text);
    return code;
}

enum result error_wrap(struct error *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return err->code;
    size_t used = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    /* By hand: that a long sentence loses its end is wanted. */
    struct slice rest[] = {SLICE(": "), slice_from_string(err->text)};
    for (int i = 0; i < 2; i++) {
        struct slice fits = slice_sub(rest[i], 0, sizeof text - 1 - used);
        memcpy(text + used, fits.data, fits.size);
        used += fits.size;
    }
    text[used] = '\0';
    memcpy(err->text, text, used + 1);
    return err->code;
}
