/* What gwctl says when it fails, and with which code it ends: "gwctl: …" and a line
 * "next: …" on stderr, or a problem document under -o json, so that a script reads
 * one shape whether the server refused or was never reached. */
#ifndef GW_CLI_FAILURE_H
#define GW_CLI_FAILURE_H

#include "base/error.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_ERROR = 1,
    EXIT_USAGE = 2,
    EXIT_DEGRADED = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_CONFLICT = 5,
    EXIT_UNREACHABLE = 6,
    EXIT_UNAUTHORISED = 7,
    EXIT_INVALID = 8,
    EXIT_TIMEOUT = 9
};

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME };

struct command;

/* How failures are told from now on; at first in sentences. */
void failure_format(enum output_format format);
/* In one problem document, with nothing beside it. */
bool failure_is_document(void);

/* "gwctl: …" on stderr; what stands behind a "next: " gets a line of its own. False: there
 * was none. */
bool failure_print(struct slice sentence);
/* One failure; `next` NULL: nothing to advise. Returns the exit code. */
int fail(enum result code, const char *next, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A sentence may bring its own "next: ", which then goes before `next`. */
int fail_error(const struct error *err, const char *next);
/* `text` is no kind; perhaps nearly one. */
int fail_kind(const char *text);
/* Bad usage of a command: next is its help. */
int fail_help(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
