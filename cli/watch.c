/* watch: changes as they are made, for as long as it takes. A node that dies or leaves is
 * left for the next endpoint, which is told the last revision that was printed whole.
 *
 * What has come of a revision is kept until its id, which the last event carries, and
 * printed then: so nothing is printed twice, nor by halves, over any number of cuts. */
#include "base/instant.h"
#include "cli/output.h"
#include "cli/send.h"

#include <stdio.h>
#include <unistd.h>

#define SILENCE_MS 45000 /* the node breaks its own every 15 s */
#define PAUSE_MS   200   /* before the first try again; doubles */
#define PAUSE_MAX  2000

struct watching {
    const struct invocation *invocation;
    struct buffer line;   /* not whole yet */
    struct buffer events; /* JSON lines of the revision that is coming */
    char id[24];          /* the last one taken; read by each try */
    char coming[24];      /* of the event that is being read; "" without */
    bool has_begun, is_lost;
};

/* A new stream: what the old one left unfinished comes again. */
static void on_begin(void *owner)
{
    struct watching *watching = owner;

    buffer_reset(&watching->line);
    buffer_reset(&watching->events);
    watching->coming[0] = '\0';
    if (watching->has_begun && !watching->invocation->quiet)
        fprintf(stderr, "watching again from revision %s\n", watching->id);
    watching->has_begun = true;
    watching->is_lost = false;
}

static void print_event(const struct watching *watching, struct slice line)
{
    const struct invocation *invocation = watching->invocation;
    struct error ignored = ERROR_NONE;
    struct arena arena;

    if (invocation->output == OUTPUT_JSON) {
        printf("%.*s\n", SLICE_ARG(line));
        return;
    }
    arena_init(&arena, 0, 0);
    const struct value *event = json_read(&arena, line, &ignored);
    enum kind kind = kind_by_name(value_text(event, "kind"));
    struct slice name = value_text(event, "name"), message = value_text(event, "message");
    if (invocation->output == OUTPUT_YAML) {
        printf("---\n");
        output_yaml(event);
    } else if (event != NULL && kind != KIND_NONE) {
        if (invocation->output != OUTPUT_NAME)
            printf("%.*s ", SLICE_ARG(value_text(event, "revision")));
        printf("%s/%.*s", kind_word(kind), SLICE_ARG(name));
        if (invocation->output != OUTPUT_NAME)
            printf(" %.*s", SLICE_ARG(value_text(event, "action")));
        if (invocation->output == OUTPUT_WIDE)
            printf(" %.*s by %.*s%s%.*s", SLICE_ARG(value_text(event, "at")),
                   SLICE_ARG(value_text(event, "by")), message.size > 0 ? ": " : "",
                   SLICE_ARG(message));
        printf("\n");
    }
    arena_deinit(&arena);
}

/* The revision is whole. */
static bool print_revision(struct watching *watching, struct error *err)
{
    struct slice rest = buffer_slice(&watching->events), line;

    while (slice_next(&rest, '\n', &line)) {
        if (line.size > 0)
            print_event(watching, line);
    }
    buffer_reset(&watching->events);
    snprintf(watching->id, sizeof watching->id, "%s", watching->coming);
    if (fflush(stdout) == 0)
        return true;
    error_set(err, GW_CLOSED, "nobody reads what is printed");
    return false;
}

static bool take_line(struct watching *watching, struct slice line, struct error *err)
{
    if (slice_starts_with(line, SLICE("data: "))) {
        buffer_append_slice(&watching->events, slice_from(line, 6));
        buffer_append_byte(&watching->events, '\n');
    } else if (slice_starts_with(line, SLICE("id: "))) {
        snprintf(watching->coming, sizeof watching->coming, "%.*s",
                 SLICE_ARG(slice_from(line, 4)));
    } else if (line.size == 0 && watching->coming[0] != '\0') {
        bool is_printed = print_revision(watching, err);
        watching->coming[0] = '\0';
        return is_printed;
    }
    if (!watching->events.failed)
        return true;
    error_set(err, GW_TOO_LARGE, "a revision is larger than this command takes");
    return false;
}

static bool on_piece(void *owner, struct slice piece, struct error *err)
{
    struct watching *watching = owner;

    for (;;) {
        size_t end = slice_find_byte(piece, '\n');
        if (end == SIZE_MAX)
            return buffer_append_slice(&watching->line, piece);
        buffer_append_slice(&watching->line, slice_sub(piece, 0, end));
        if (!take_line(watching, buffer_slice(&watching->line), err))
            return false;
        buffer_reset(&watching->line);
        piece = slice_from(piece, end + 1);
    }
}

/* Once it has begun, a watch is kept up through anything but an answer that says no. */
static bool goes_on(const struct watching *watching, enum result result,
                    const struct answer *answer)
{
    if (!watching->has_begun)
        return false;
    return result != GW_OK || answer->status == 200 || answer->status == 429 ||
           answer->status >= 500;
}

static int follow(struct watching *watching, struct client *client, const struct call *call)
{
    const struct invocation *invocation = watching->invocation;
    unsigned pause_ms = PAUSE_MS;

    for (;;) {
        struct answer answer;
        struct error err = ERROR_NONE;
        uint64_t began_ms = instant_monotonic_ms();
        enum result result = client_follow(client, call, &answer, &err);
        if (ferror(stdout) || err.code == GW_TOO_LARGE)
            return fail_error(&err, NULL);
        if (!goes_on(watching, result, &answer)) {
            int exit_code = result == GW_OK ? answer_fail(invocation, &answer)
                                            : fail_error(&err, "gwctl context list");
            if (result == GW_OK)
                answer_free(&answer);
            return exit_code;
        }
        if (result == GW_OK)
            answer_free(&answer);
        if (!watching->is_lost && !invocation->quiet)
            fprintf(stderr, "connection lost behind revision %s: trying again\n",
                    watching->id);
        watching->is_lost = true;
        pause_ms = instant_monotonic_ms() - began_ms > PAUSE_MAX ? PAUSE_MS : pause_ms;
        usleep(pause_ms * 1000);
        pause_ms = pause_ms * 2 < PAUSE_MAX ? pause_ms * 2 : PAUSE_MAX;
    }
}

int run_watch(struct invocation *invocation)
{
    const char *since = option_value(invocation, "--since");
    struct watching watching = {.invocation = invocation};
    const struct body_taker taker = {on_begin, on_piece, &watching};
    enum kind kind = KIND_NONE;
    struct buffer target;
    struct client *client;
    uint64_t revision;

    if (strcmp(invocation->arguments[0], "all") != 0) {
        kind = kind_by_name(slice_from_string(invocation->arguments[0]));
        if (kind == KIND_NONE)
            return fail_kind(invocation->arguments[0]);
    }
    if (since != NULL && !slice_parse_u64(slice_from_string(since), &revision))
        return fail(GW_USAGE, "gwctl history", "--since takes a revision, not '%s'", since);
    int exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (since != NULL)
        snprintf(watching.id, sizeof watching.id, "%llu", (unsigned long long)revision);
    buffer_init(&watching.line, 0);
    buffer_init(&watching.events, 0);
    buffer_init(&target, 0);
    buffer_printf(&target, "/v1/watch?kind=%s%s",
                  kind == KIND_NONE ? "all" : kind_word(kind),
                  invocation->stale ? "&consistency=stale" : "");
    const struct call call = {.method = "GET",
                              .target = buffer_slice(&target),
                              .taker = &taker,
                              .idle_ms = SILENCE_MS,
                              .after = watching.id};
    exit_code = follow(&watching, client, &call);
    client_close(client);
    buffer_deinit(&target);
    buffer_deinit(&watching.line);
    buffer_deinit(&watching.events);
    return exit_code;
}
