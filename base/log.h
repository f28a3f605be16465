/* Structured log: one event a line, an event name and key=value pairs, or JSON.
 *
 * Any thread; a line is one write(2) to standard error, so lines never mix.
 * Not for the request path: that has the access log. Values are escaped, so a
 * value never makes a second line. */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* A pair: build with the macros below, which evaluate their value once. */
struct log_pair {
    const char *key;
    enum { LOG_PAIR_SLICE, LOG_PAIR_UNSIGNED, LOG_PAIR_SIGNED } type;
    struct slice text;
    uint64_t number;
};

#define LOG_STR(k, v) \
    ((struct log_pair){.key = (k), .type = LOG_PAIR_SLICE, .text = slice_from_string(v)})
#define LOG_SLICE(k, v) ((struct log_pair){.key = (k), .type = LOG_PAIR_SLICE, .text = (v)})
#define LOG_U64(k, v) \
    ((struct log_pair){.key = (k), .type = LOG_PAIR_UNSIGNED, .number = (uint64_t)(v)})
#define LOG_I64(k, v)   \
    ((struct log_pair){ \
        .key = (k), .type = LOG_PAIR_SIGNED, .number = (uint64_t)(int64_t)(v)})

/* Process-wide; set before threads start, level may change at any time. */
void log_configure(enum log_level level, enum log_format format, const char *node_name);
void log_level_set(enum log_level level);
bool log_enabled(enum log_level level);

/* log_event(LOG_INFO, "member", "leader elected", LOG_U64("term", t)); */
#define log_event(level, module, event, ...)              \
    do {                                                  \
        if (log_enabled(level)) {                         \
            const struct log_pair log_pairs_[] = {        \
                __VA_ARGS__ __VA_OPT__(, ){.key = NULL}}; \
            log_write(level, module, event, log_pairs_);  \
        }                                                 \
    } while (0)

/* `pairs` end with a NULL key. */
void log_write(enum log_level level, const char *module, const char *event,
               const struct log_pair *pairs);

#endif
