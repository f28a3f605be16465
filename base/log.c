/* The structured log.
 *
 * A line is built on the stack and written with one write(2), which the kernel
 * does not mix with others up to PIPE_BUF bytes; so lines are kept below that.
 * A pair that does not fit is left out, and the line says so. */
#include "base/log.h"

#include "base/instant.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_SIZE    4096u
#define LINE_RESERVE 32u /* for the mark of truncation and the end */

static _Atomic int level_now = LOG_INFO;
static enum log_format format_now = LOG_TEXT;
static char node_now[64];

static const char *const level_words[] = {"debug", "info", "warn", "error"};

struct line {
    char data[LINE_SIZE];
    size_t size;
    bool full;
};

static void put(struct line *line, const char *data, size_t size)
{
    if (line->full || size > LINE_SIZE - LINE_RESERVE - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->data + line->size, data, size);
    line->size += size;
}

static void put_string(struct line *line, const char *string)
{
    put(line, string, strlen(string));
}

/* Between quotes. In both formats a value can end neither its quotes nor the
 * line, nor carry control bytes to a terminal; JSON knows no \x. */
static void put_quoted(struct line *line, struct slice s)
{
    bool json = format_now == LOG_JSON;

    put(line, "\"", 1);
    while (s.size > 0 && !line->full) {
        unsigned char c = (unsigned char)s.data[0];
        size_t size = slice_utf8_size(s);
        char escape[8];
        if (size == 0) {
            snprintf(escape, sizeof escape, json ? "\\ufffd" : "\\x%02x", c);
            put_string(line, escape);
            size = 1;
        } else if (c == '"' || c == '\\') {
            put(line, "\\", 1);
            put(line, s.data, 1);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            put_string(line, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", c);
            put_string(line, escape);
        } else if (c == 0xc2 && (unsigned char)s.data[1] < 0xa0) {
            /* C1 controls, of which U+009B starts terminal sequences. */
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)s.data[1]);
            put_string(line, escape);
        } else {
            put(line, s.data, size);
        }
        s = slice_from(s, size);
    }
    put(line, "\"", 1);
}

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return s.size > 0;
}

static void put_key(struct line *line, const char *key)
{
    if (format_now == LOG_JSON) {
        put(line, line->size == 0 ? "{" : ",", 1);
        put_quoted(line, slice_from_string(key));
        put(line, ":", 1);
    } else {
        if (line->size > 0)
            put(line, " ", 1);
        put_string(line, key);
        put(line, "=", 1);
    }
}

static void put_slice(struct line *line, const char *key, struct slice value)
{
    size_t before = line->size;
    put_key(line, key);
    if (format_now == LOG_TEXT && is_plain(value))
        put(line, value.data, value.size);
    else
        put_quoted(line, value);
    if (line->full)
        line->size = before;
}

static void put_number(struct line *line, const struct log_pair *pair)
{
    size_t before = line->size;
    char digits[24];
    if (pair->type == LOG_PAIR_SIGNED)
        snprintf(digits, sizeof digits, "%lld", (long long)pair->number);
    else
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)pair->number);
    put_key(line, pair->key);
    put_string(line, digits);
    if (line->full)
        line->size = before;
}

void log_configure(enum log_level level, enum log_format format, const char *node_name)
{
    format_now = format;
    snprintf(node_now, sizeof node_now, "%s", node_name == NULL ? "" : node_name);
    log_level_set(level);
}

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

void log_write(enum log_level level, const char *module, const char *event,
               const struct log_pair *pairs)
{
    struct line line;
    char time_text[INSTANT_TEXT_SIZE];
    bool truncated = false;

    line.size = 0;
    line.full = false;
    instant_format(instant_wall_ms(), time_text);
    put_slice(&line, "time", slice_from_string(time_text));
    put_slice(&line, "level", slice_from_string(level_words[level]));
    if (node_now[0] != '\0')
        put_slice(&line, "node", slice_from_string(node_now));
    put_slice(&line, "module", slice_from_string(module));
    put_slice(&line, "event", slice_from_string(event));
    for (; pairs->key != NULL; pairs++) {
        if (pairs->type == LOG_PAIR_SLICE)
            put_slice(&line, pairs->key, pairs->text);
        else
            put_number(&line, pairs);
        truncated |= line.full;
        line.full = false;
    }
    /* Into the reserve, past what put() allows. */
    bool json = format_now == LOG_JSON;
    const char *end = json ? (truncated ? ",\"truncated\":true}\n" : "}\n")
                           : (truncated ? " truncated=true\n" : "\n");
    memcpy(line.data + line.size, end, strlen(end));
    line.size += strlen(end);
    /* Where the log cannot be written there is nowhere to say so. */
    ssize_t written = TEMP_FAILURE_RETRY(write(STDERR_FILENO, line.data, line.size));
    (void)written;
}
