/* POST /v1/rollback: an earlier state becomes a new revision. {"to": R} or, without,
 * the state before the last change; "kind" and "name": of that object alone.
 *
 * What has to change is found from the history on the pool and then goes the way of
 * every write: checked, so that references hold, and proposed only where the
 * configuration still is the one it was found for. The history holds resources, so
 * members, tokens, bans and verdicts are out of its reach. */
#include "node/control/admin.h"
#include "node/control/laggards.h"
#include "node/control/rewind.h"

#include <stdio.h>
#include <stdlib.h>

struct rollback {
    struct job job;
    struct request *request;
    struct edition *edition;
    bool has_to;
    uint64_t to;
    struct slice key; /* empty: everything */
    struct slice message;
    struct error err;
};

static void rollback_free(struct rollback *rollback)
{
    edition_unref(rollback->edition);
    free(rollback);
}

/* What is as it was already is left out: it may have changed and changed back. */
static void write_body(struct rollback *rollback, struct change *change)
{
    struct buffer *out = &rollback->request->prepared;
    const struct catalog *catalog = &rollback->edition->catalog;
    size_t kept = 0;
    struct emit emit;

    for (size_t i = 0; i < change->count; i++) {
        struct change_item *item = &change->items[i];
        const struct resource *now = catalog_get(catalog, item->kind, item->name);
        bool is_same = item->resource == NULL
                           ? now == NULL
                           : now != NULL && resource_equal(now, item->resource);
        if (is_same)
            resource_unref(item->resource);
        else
            change->items[kept++] = *item;
    }
    change->count = kept;
    change->message = rollback->message.size != 0
                          ? rollback->message
                          : arena_printf(&change->arena, "rollback to revision %llu",
                                         (unsigned long long)rollback->to);
    buffer_reset(out);
    emit_init(&emit, out, false);
    change_emit(&emit, change);
}

/* Pool. */
static void rollback_run(struct job *job)
{
    struct rollback *rollback = job->owner;
    struct env *env = rollback->request->control->env;
    struct change change;

    if (!rollback->has_to && rewind_last(env, rollback->edition, rollback->key,
                                         &rollback->to, &rollback->err) != GW_OK)
        return;
    if (rewind_change(env, rollback->edition, rollback->to, rollback->key, &change,
                      &rollback->err) == GW_OK)
        write_body(rollback, &change);
    change_deinit(&change);
}

static void begin_at_leader(struct request *request);

static void rollback_done(struct job *job)
{
    struct rollback *rollback = job->owner;
    struct request *request = rollback->request;
    uint64_t revision = rollback->edition->catalog.revision;
    struct error err = rollback->err;

    /* "As of R" is of everything; undoing a change leaves alone what it did not touch. */
    bool is_exact = rollback->has_to && rollback->key.size == 0;

    rollback_free(rollback);
    if (err.code == GW_AGAIN)
        request_try_again(request, begin_at_leader);
    else if (err.code != GW_OK)
        request_fail_error(request, &err);
    else if (request->prepared.failed)
        request_fail(request, GW_NO_MEMORY, "roll back");
    else
        apply_at_revision(request, buffer_slice(&request->prepared), revision, is_exact,
                          begin_at_leader);
}

static bool read_key(struct rollback *rollback, struct slice kind_text, struct slice name,
                     struct error *err)
{
    char key[RESOURCE_KEY_MAX];
    enum kind kind = kind_by_name(kind_text);

    if (kind_text.size == 0 && name.size == 0)
        return true;
    if (kind == KIND_NONE || name.size == 0 || !resource_key(kind, name, key)) {
        error_set(err, GW_MALFORMED, "kind '%.*s' and name '%.*s': both are needed",
                  SLICE_ARG(kind_text), SLICE_ARG(name));
        return false;
    }
    rollback->key = arena_copy(&rollback->request->arena, slice_from_string(key));
    return true;
}

static bool read_wish(struct rollback *rollback, struct error *err)
{
    static const struct form form = {.fields = {{"to", FORM_TEXT | FORM_NUMBER},
                                                {"kind", FORM_TEXT},
                                                {"name", FORM_TEXT},
                                                {"message", FORM_TEXT}},
                                     .refusal = GW_MALFORMED,
                                     .may_be_missing = true};
    struct request *request = rollback->request;
    const struct value *body = form_read(&form, &request->arena, request->body, err);

    if (body == NULL)
        return false;
    const struct value *to = value_get(body, "to");
    rollback->has_to = to != NULL && to->type != VALUE_NULL;
    if (rollback->has_to && !slice_parse_u64(to->text, &rollback->to)) {
        error_set(err, GW_MALFORMED, "to is '%.*s': a revision is needed",
                  SLICE_ARG(to->text));
        return false;
    }
    rollback->message = value_text(body, "message");
    return read_key(rollback, value_text(body, "kind"), value_text(body, "name"), err);
}

static void begin(struct request *request)
{
    struct rollback *rollback = calloc(1, sizeof *rollback);
    struct error err = ERROR_NONE;

    if (rollback == NULL) {
        request_fail(request, GW_NO_MEMORY, "roll back");
        return;
    }
    rollback->request = request;
    if (!read_wish(rollback, &err)) {
        free(rollback);
        request_fail_error(request, &err);
        return;
    }
    rollback->edition = edition_ref(request->control->visible);
    job_start(&rollback->job, request->control->loop, rollback_run, rollback_done,
              rollback);
}

/* What "the last change" is, only a leader that has applied all of them knows. */
static void begin_at_leader(struct request *request)
{
    request->is_stale = false;
    request_linearize(request, begin);
}

void rollback_post(struct request *request)
{
    if (laggards_read(request))
        request_at_leader(request, begin_at_leader);
}
