/* PCRE2, with limits.
 *
 * The match limit bounds backtracking: without it (a+)+$ on forty bytes would
 * hold a worker for minutes. \C is refused, since it may split a character; the
 * byte mode used here needs no check of UTF-8. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "node/snapshot/pattern.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>

#define MATCH_LIMIT 100000u /* some milliseconds at most */
#define DEPTH_LIMIT 10000u
#define HEAP_KIB    4096u

struct pattern {
    pcre2_code *code; /* owned */
};

/* Of a thread: kept until it ends, so that no match allocates. */
struct scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local struct scratch *scratch_here;

static void scratch_free(void *argument)
{
    struct scratch *scratch = argument;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    free(scratch);
    scratch_here = NULL;
}

/* The main thread ends without running destructors of keys. */
static void scratch_free_main(void)
{
    if (scratch_here != NULL) {
        pthread_setspecific(scratch_key, NULL);
        scratch_free(scratch_here);
    }
}

static void scratch_key_make(void)
{
    pthread_key_create(&scratch_key, scratch_free);
    atexit(scratch_free_main);
}

static struct scratch *scratch_get(void)
{
    if (scratch_here != NULL)
        return scratch_here;
    pthread_once(&scratch_once, scratch_key_make);
    struct scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    scratch->data = pcre2_match_data_create(PATTERN_CAPTURES, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (scratch->data == NULL || scratch->context == NULL) {
        scratch_free(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(scratch->context, HEAP_KIB);
    pthread_setspecific(scratch_key, scratch);
    scratch_here = scratch;
    return scratch;
}

enum result pattern_new(struct slice text, struct pattern **ret_pattern, struct error *err)
{
    int number;
    PCRE2_SIZE offset;
    struct pattern *pattern = calloc(1, sizeof *pattern);

    if (pattern == NULL)
        return error_set(err, GW_NO_MEMORY, "compile regex");
    const char *bytes = text.size == 0 ? "" : text.data;
    pattern->code = pcre2_compile((PCRE2_SPTR)bytes, text.size, PCRE2_NEVER_BACKSLASH_C,
                                  &number, &offset, NULL);
    if (pattern->code == NULL) {
        PCRE2_UCHAR message[128];
        pcre2_get_error_message(number, message, sizeof message);
        free(pattern);
        return error_set(err, GW_INVALID, "regex '%.*s' at offset %zu: %s", SLICE_ARG(text),
                         (size_t)offset, (const char *)message);
    }
    /* Where memory may not be made executable this fails, and the interpreter
     * does the work: slower, the same answers. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    *ret_pattern = pattern;
    return GW_OK;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

static int run(const struct pattern *pattern, struct slice subject, struct scratch *scratch)
{
    const char *bytes = subject.size == 0 ? "" : subject.data;
    return pcre2_match(pattern->code, (PCRE2_SPTR)bytes, subject.size, 0, 0, scratch->data,
                       scratch->context);
}

bool pattern_matches(const struct pattern *pattern, struct slice subject)
{
    struct scratch *scratch = scratch_get();
    return scratch != NULL && run(pattern, subject, scratch) >= 0;
}

bool pattern_captures(const struct pattern *pattern, struct slice subject,
                      struct slice *ret_captures, unsigned *ret_count)
{
    struct scratch *scratch = scratch_get();
    if (scratch == NULL)
        return false;
    int found = run(pattern, subject, scratch);
    if (found < 0)
        return false;
    unsigned count = found == 0 ? PATTERN_CAPTURES : (unsigned)found;
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(scratch->data);
    for (unsigned i = 0; i < PATTERN_CAPTURES; i++) {
        ret_captures[i] = SLICE("");
        if (i >= count || offsets[2 * i] == PCRE2_UNSET ||
            offsets[2 * i] > offsets[2 * i + 1])
            continue;
        ret_captures[i] =
            slice_sub(subject, offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i]);
    }
    *ret_count = count;
    return true;
}
