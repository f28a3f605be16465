/* Reads of resources. One object is written on the loop; a list may be ten
 * thousand of them and is written on the pool, from an edition that stays. */
#include "node/control/admin.h"
#include "node/control/rewind.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_LIMIT_MAX 100000

static bool kind_of(struct request *request)
{
    request->kind = kind_by_name(request->parts[2]);
    if (request->kind != KIND_NONE)
        return true;
    const char *nearest = kind_suggest(request->parts[2]);
    request_fail(request, GW_NOT_FOUND, "there is no kind '%.*s'%s%s%s",
                 SLICE_ARG(request->parts[2]), nearest == NULL ? "" : " (did you mean '",
                 nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?)");
    return false;
}

static enum resource_view view_of(struct request *request)
{
    if (request_flag(request, "export"))
        return RESOURCE_EXPORT;
    return request_flag(request, "effective") ? RESOURCE_EFFECTIVE : RESOURCE_GET;
}

/* ---- lists ---- */

struct listing {
    struct job job;
    struct request *request;
    struct edition *edition;
    enum resource_view view;
    enum kind after_kind; /* continue behind this object */
    struct slice after;
    uint64_t limit;
    bool has_limit;
    bool has_revision; /* not the present, but as of then */
    uint64_t revision;
    bool is_one; /* not a list */
    struct error err;
};

/* Pool. "all" lists every kind, in the order in which `apply` can take them. */
static void write_list(struct listing *listing)
{
    struct request *request = listing->request;
    const struct catalog *catalog = &listing->edition->catalog;
    struct slice last = {0};
    uint64_t count = 0;
    bool more = false;
    struct emit emit;

    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, catalog->revision);
    emit_key(&emit, "stale");
    emit_bool(&emit, request->is_stale);
    emit_key(&emit, "items");
    emit_array(&emit);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const struct resource *resource;
        if (request->kind != KIND_NONE && (int)request->kind != kind)
            continue;
        catalog_each(catalog, kind, resource)
        {
            if (listing->after.size != 0 &&
                (kind < (int)listing->after_kind ||
                 (kind == (int)listing->after_kind &&
                  slice_compare(resource->name, listing->after) <= 0)))
                continue;
            if (request->selector.size != 0 &&
                !selector_matches(request->selector, resource))
                continue;
            if (listing->has_limit && count == listing->limit) {
                more = true;
                break;
            }
            count++;
            last = resource->key;
            resource_emit(&emit, resource, listing->view);
        }
    }
    emit_array_end(&emit);
    if (listing->has_limit) {
        emit_key(&emit, "continue");
        if (more)
            emit_string(&emit, last);
        else
            emit_null(&emit);
    }
    emit_object_end(&emit);
}

static void write_one(struct listing *listing)
{
    struct request *request = listing->request;
    const struct resource *resource =
        catalog_get(&listing->edition->catalog, request->kind, request->parts[3]);
    struct emit emit;

    if (resource == NULL) {
        error_set(&listing->err, GW_NOT_FOUND, "%s/%.*s did not exist at revision %llu",
                  kind_name(request->kind), SLICE_ARG(request->parts[3]),
                  (unsigned long long)listing->revision);
        return;
    }
    emit_init(&emit, &request->out, false);
    resource_emit(&emit, resource, listing->view);
    snprintf(request->etag, sizeof request->etag, "%llu",
             (unsigned long long)resource->mod_revision);
}

static void list_run(struct job *job)
{
    struct listing *listing = job->owner;

    if (listing->has_revision) {
        struct edition *earlier =
            rewind_edition(listing->request->control->env, listing->edition,
                           listing->revision, &listing->err);
        if (earlier == NULL)
            return;
        edition_unref(listing->edition);
        listing->edition = earlier;
    }
    if (listing->is_one)
        write_one(listing);
    else
        write_list(listing);
}

static void list_done(struct job *job)
{
    struct listing *listing = job->owner;
    struct request *request = listing->request;
    struct error err = listing->err;

    request->revision = listing->edition->catalog.revision;
    edition_unref(listing->edition);
    free(listing);
    if (err.code != GW_OK)
        request_fail_error(request, &err);
    else if (request->out.failed)
        request_fail(request, GW_NO_MEMORY, "write the list");
    else
        request_reply(request, 200, buffer_slice(&request->out));
}

static void list(struct request *request)
{
    struct listing *listing = calloc(1, sizeof *listing);
    struct slice text;

    if (listing == NULL) {
        request_fail(request, GW_NO_MEMORY, "write the list");
        return;
    }
    listing->request = request;
    listing->view = view_of(request);
    if (request_query(request, "continue", &text) &&
        !resource_key_parse(text, &listing->after_kind, &listing->after)) {
        free(listing);
        request_fail(request, GW_MALFORMED,
                     "continue is '%.*s': take it from the list before", SLICE_ARG(text));
        return;
    }
    if (request_query(request, "limit", &text))
        listing->has_limit = slice_parse_u64(text, &listing->limit) && listing->limit > 0 &&
                             listing->limit <= LIST_LIMIT_MAX;
    listing->has_revision = request_query(request, "revision", &text);
    if (listing->has_revision && !slice_parse_u64(text, &listing->revision)) {
        free(listing);
        request_fail(request, GW_MALFORMED, "revision is '%.*s': a number is needed",
                     SLICE_ARG(text));
        return;
    }
    listing->is_one = request->part_count > 3;
    listing->edition = edition_ref(request->control->visible);
    job_start(&listing->job, request->control->loop, list_run, list_done, listing);
}

void resources_list(struct request *request)
{
    if (slice_equal(request->parts[2], SLICE("all")))
        request->kind = KIND_NONE;
    else if (!kind_of(request))
        return;
    if (request_query(request, "selector", &request->selector) &&
        !selector_is_valid(request->selector)) {
        request_fail(request, GW_MALFORMED, "'%.*s' is no selector, as team=apps,tier!=web",
                     SLICE_ARG(request->selector));
        return;
    }
    request_linearize(request, list);
}

/* ---- one object ---- */

static void get(struct request *request)
{
    const struct resource *resource =
        catalog_get(&request->control->visible->catalog, request->kind, request->parts[3]);
    struct emit emit;
    struct slice text;

    if (request_query(request, "revision", &text)) {
        list(request);
        return;
    }
    if (resource == NULL) {
        request_fail(request, GW_NOT_FOUND, "%s/%.*s does not exist",
                     kind_name(request->kind), SLICE_ARG(request->parts[3]));
        return;
    }
    emit_init(&emit, &request->out, false);
    resource_emit(&emit, resource, view_of(request));
    snprintf(request->etag, sizeof request->etag, "%llu",
             (unsigned long long)resource->mod_revision);
    request_reply(request, 200, buffer_slice(&request->out));
}

void resources_get(struct request *request)
{
    if (kind_of(request))
        request_linearize(request, get);
}
