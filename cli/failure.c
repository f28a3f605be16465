#include "cli/failure.h"

#include "cli/command.h"
#include "model/kind.h"
#include "model/problem_document.h"

#include <stdarg.h>
#include <stdio.h>

static enum output_format told_as = OUTPUT_TABLE;

void failure_format(enum output_format format)
{
    told_as = format;
}

bool failure_is_document(void)
{
    return told_as == OUTPUT_JSON;
}

static void tell_document(enum result code, const char *next, const char *sentence)
{
    struct buffer text;
    struct error err;

    error_set(&err, code, "%s%s%s", sentence, next != NULL ? "; next: " : "",
              next != NULL ? next : "");
    buffer_init(&text, 0);
    problem_write(&text, &err, NULL);
    fprintf(stderr, "%.*s\n", SLICE_ARG(buffer_slice(&text)));
    buffer_deinit(&text);
}

bool failure_print(struct slice sentence)
{
    size_t at = slice_find(sentence, SLICE("; next: "));

    if (at == SIZE_MAX) {
        fprintf(stderr, "gwctl: %.*s\n", SLICE_ARG(sentence));
        return slice_find(sentence, SLICE("next: ")) != SIZE_MAX;
    }
    fprintf(stderr, "gwctl: %.*s\n%.*s\n", SLICE_ARG(slice_sub(sentence, 0, at)),
            SLICE_ARG(slice_from(sentence, at + 2)));
    return true;
}

static int tell(enum result code, const char *next, const char *format, va_list args)
{
    char sentence[2048];
    int exit_code = result_exit_code(code);

    vsnprintf(sentence, sizeof sentence, format, args);
    if (told_as == OUTPUT_JSON) {
        tell_document(code, next, sentence);
    } else {
        failure_print(slice_from_string(sentence));
        if (next != NULL)
            fprintf(stderr, "next: %s\n", next);
    }
    /* Codes above 9 are gwd's. */
    return exit_code > EXIT_TIMEOUT ? EXIT_ERROR : exit_code;
}

int fail(enum result code, const char *next, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int exit_code = tell(code, next, format, args);
    va_end(args);
    return exit_code;
}

int fail_error(const struct error *err, const char *next)
{
    return fail(err->code, strstr(err->text, "next: ") != NULL ? NULL : next, "%s",
                err->text);
}

int fail_help(const struct command *command, const char *format, ...)
{
    char next[128];
    va_list args;

    snprintf(next, sizeof next, "gwctl %s --help", command->words);
    va_start(args, format);
    int exit_code = tell(GW_USAGE, next, format, args);
    va_end(args);
    return exit_code;
}

int fail_kind(const char *text)
{
    const char *near = kind_suggest(slice_from_string(text));

    if (near != NULL)
        return fail(GW_USAGE, "gwctl schema KIND", "unknown kind '%s' (did you mean '%s'?)",
                    text, near);
    return fail(
        GW_USAGE, "gwctl --help",
        "unknown kind '%s': one of Cluster, Region, Listener, Service, Route, Policy",
        text);
}
