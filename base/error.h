/* Results and errors.
 *
 * One list gives each result its HTTP status, the exit code of gwctl and a
 * word; hot paths return `enum result`, cold ones also fill a `struct error`
 * with a sentence: fact first, then what to do. */
#ifndef GW_BASE_ERROR_H
#define GW_BASE_ERROR_H

#include "base/slice.h"

/* X(name, HTTP status, exit code of gwctl, code word in problem documents, text)
 * Nodes and the log say them by number: new ones at the end. */
#define GW_RESULTS(X)                                                            \
    X(GW_OK, 200, 0, "ok", "success")                                            \
    X(GW_FAILED, 500, 1, "failed", "failed")                                     \
    X(GW_NO_MEMORY, 500, 1, "no_memory", "out of memory")                        \
    X(GW_USAGE, 400, 2, "usage", "bad usage")                                    \
    X(GW_NOT_FOUND, 404, 4, "not_found", "not found")                            \
    X(GW_COMPACTED, 410, 4, "compacted", "compacted away")                       \
    X(GW_CONFLICT, 409, 5, "conflict", "conflict")                               \
    X(GW_PRECONDITION, 412, 5, "precondition_failed", "precondition failed")     \
    X(GW_SESSION_EXPIRED, 409, 5, "session_expired", "session expired")          \
    X(GW_NO_QUORUM, 503, 6, "no_quorum", "no quorum")                            \
    X(GW_NOT_LEADER, 503, 6, "not_leader", "not the leader")                     \
    X(GW_UNREACHABLE, 503, 6, "unreachable", "unreachable")                      \
    X(GW_HALTED, 503, 6, "member_halted", "member halted")                       \
    X(GW_UNAUTHORISED, 401, 7, "unauthorised", "unauthorised")                   \
    X(GW_FORBIDDEN, 403, 7, "forbidden", "forbidden")                            \
    X(GW_INVALID, 422, 8, "invalid", "invalid")                                  \
    X(GW_MALFORMED, 400, 8, "malformed", "malformed")                            \
    X(GW_TOO_LARGE, 413, 8, "too_large", "too large")                            \
    X(GW_TIMEOUT, 504, 9, "timeout", "timed out")                                \
    X(GW_UNKNOWN_OUTCOME, 504, 9, "outcome_unknown", "outcome unknown")          \
    X(GW_LIMIT, 429, 1, "limit", "over a limit")                                 \
    X(GW_IO, 500, 10, "io", "input/output error")                                \
    X(GW_DAMAGED, 500, 11, "damaged", "damaged data")                            \
    X(GW_LOCKED, 500, 11, "locked", "in use")                                    \
    X(GW_FOREIGN, 500, 11, "foreign", "belongs elsewhere")                       \
    X(GW_NEWER, 500, 11, "newer_format", "of a newer format")                    \
    X(GW_AGAIN, 503, 1, "again", "try again")                                    \
    X(GW_CLOSED, 503, 1, "closed", "closed")                                     \
    X(GW_METHOD_NOT_ALLOWED, 405, 1, "method_not_allowed", "method not allowed") \
    X(GW_DISK_LOW, 503, 1, "disk_low", "too little room on the disk")            \
    X(GW_QUARANTINED, 503, 1, "quarantined", "quarantined")

enum result {
#define X(name, status, exit_code, word, text) name,
    GW_RESULTS(X)
#undef X
        GW_RESULT_COUNT
};

struct error {
    enum result code;
    char text[1024]; /* a sentence without full stop, NUL-terminated */
};

#define ERROR_NONE ((struct error){GW_OK, ""})

int result_http_status(enum result result);
int result_exit_code(enum result result);
const char *result_word(enum result result); /* "no_quorum" */
const char *result_text(enum result result);
/* By word; GW_FAILED for an unknown one. */
enum result result_from_word(struct slice word);

/* Writes the code and the sentence; returns the code, so callers can return it. */
enum result error_set(struct error *err, enum result code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the sentence; keeps and returns the code. */
enum result error_wrap(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
