/* GET /v1/history: what changed, when, by whom and why, newest first; of one kind or
 * one object by ?kind and ?name. `?limit` revisions, and on with `?before`. */
#include "base/instant.h"
#include "node/control/admin.h"
#include "node/control/history_emit.h"
#include "store/rewind.h"

#include <stdlib.h>

#define LIMIT_DEFAULT 100

struct listing {
    struct job job;
    struct request *request;
    struct history_filter filter;
    uint64_t limit, before, until;
    struct error err;
};

static void list_entries(struct listing *listing, struct txn *txn, struct emit *emit,
                         uint64_t *ret_next)
{
    struct cursor *cursor = NULL;
    uint64_t told = 0;
    enum result result = cursor_open_last(txn, ENV_HISTORY, &cursor);

    *ret_next = 0;
    for (; result == GW_OK; result = cursor_previous(cursor)) {
        uint64_t revision = cursor_index(cursor);
        if (revision > listing->until ||
            (listing->before != 0 && revision >= listing->before) ||
            !history_matches(&listing->filter, cursor_value(cursor)))
            continue;
        if (told++ == listing->limit) {
            *ret_next = revision + 1;
            break;
        }
        history_emit(emit, revision, &listing->filter, cursor_value(cursor));
    }
    cursor_close(cursor);
}

/* Pool. */
static void list_run(struct job *job)
{
    struct listing *listing = job->owner;
    struct request *request = listing->request;
    uint64_t oldest = 0, next = 0;
    bool reaches;
    struct txn *txn;
    struct emit emit;

    enum result result = env_begin_read(request->control->env, &txn);
    if (result == GW_OK)
        result = rewind_reaches(txn, 0, &reaches, &oldest);
    if (result != GW_OK) {
        error_set(&listing->err, result, "read the history: %s", result_text(result));
        txn_abort(txn);
        return;
    }
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, listing->until);
    emit_key(&emit, "stale");
    emit_bool(&emit, request->is_stale);
    emit_key(&emit, "oldest");
    emit_u64_string(&emit, oldest);
    emit_key(&emit, "items");
    emit_array(&emit);
    list_entries(listing, txn, &emit, &next);
    emit_array_end(&emit);
    emit_key(&emit, "before");
    if (next != 0)
        emit_u64_string(&emit, next);
    else
        emit_null(&emit);
    emit_object_end(&emit);
    txn_abort(txn);
}

static void list_done(struct job *job)
{
    struct listing *listing = job->owner;
    struct request *request = listing->request;
    struct error err = listing->err;

    free(listing);
    if (err.code != GW_OK)
        request_fail_error(request, &err);
    else if (request->out.failed)
        request_fail(request, GW_NO_MEMORY, "write the history");
    else
        request_reply(request, 200, buffer_slice(&request->out));
}

static bool read_number(struct request *request, const char *key, uint64_t *number)
{
    struct slice text;

    if (!request_query(request, key, &text) || slice_parse_u64(text, number))
        return true;
    request_fail(request, GW_MALFORMED, "%s is '%.*s': a number is needed", key,
                 SLICE_ARG(text));
    return false;
}

static void list(struct request *request)
{
    struct listing *listing = calloc(1, sizeof *listing);

    if (listing == NULL) {
        request_fail(request, GW_NO_MEMORY, "write the history");
        return;
    }
    listing->request = request;
    listing->limit = LIMIT_DEFAULT;
    listing->until = request->control->visible->catalog.revision;
    if (!history_filter_read(request, &listing->filter) ||
        !read_number(request, "limit", &listing->limit) ||
        !read_number(request, "before", &listing->before)) {
        free(listing);
        return;
    }
    if (listing->limit == 0 || listing->limit > HISTORY_LIMIT)
        listing->limit = HISTORY_LIMIT;
    job_start(&listing->job, request->control->loop, list_run, list_done, listing);
}

void history_list(struct request *request)
{
    request_linearize(request, list);
}
