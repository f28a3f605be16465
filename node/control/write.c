/* Every try starts from the body again: what a PATCH or a prune means depends on
 * the catalog it meets. The price is a second decoding when a try has to be
 * repeated, which is rare. */
#include "node/control/write.h"

#include "base/plant.h"

void write_init(struct write *write)
{
    memset(write, 0, sizeof *write);
    problems_init(&write->problems);
    change_init(&write->change);
    buffer_init(&write->command, 0);
    buffer_init(&write->detail, 0);
    arena_init(&write->arena, 0, 0);
}

void write_deinit(struct write *write)
{
    if (write == NULL)
        return;
    problems_deinit(&write->problems);
    change_deinit(&write->change);
    buffer_deinit(&write->command);
    buffer_deinit(&write->detail);
    arena_deinit(&write->arena);
}

void write_reset(struct write *write)
{
    problems_deinit(&write->problems);
    problems_init(&write->problems);
    change_deinit(&write->change);
    change_init(&write->change);
    buffer_reset(&write->command);
    buffer_reset(&write->detail);
    arena_reset(&write->arena);
    write->result = GW_OK;
    write->err = ERROR_NONE;
    write->changed_count = 0;
    write->is_noop = write->is_session_known = write->rests_on_state = false;
    write->region_count = 0;
}

static enum result fail(struct write *write, enum result result)
{
    write->result = result;
    return result;
}

/* Whether nothing is wrong but that what shall be deleted is not there. */
static bool all_not_found(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (!problem->is_warning && !slice_equal(problem->code, SLICE("not_found")))
            return false;
    }
    return true;
}

/* The sentence of a refusal is its first error. */
static enum result fail_problems(struct write *write)
{
    struct slice first = problems_first(&write->problems);
    size_t more = write->problems.errors - 1;
    enum result code = all_not_found(&write->problems) ? GW_NOT_FOUND : GW_INVALID;

    if (more == 0)
        error_set(&write->err, code, "%.*s", SLICE_ARG(first));
    else
        error_set(&write->err, code, "%.*s (and %zu more)", SLICE_ARG(first), more);
    return fail(write, code);
}

static enum result no_memory(struct write *write)
{
    return fail(write, error_set(&write->err, GW_NO_MEMORY, "check the change"));
}

/* ETags compare by modRevision, before anything else is looked at (RFC 9110 §13). */
static enum result check_preconditions(struct write *write, const struct resource *old)
{
    if (write->is_session_known)
        return GW_OK; /* it held the first time */
    if (write->if_none_match && old != NULL)
        return fail(write, error_set(&write->err, GW_PRECONDITION,
                                     "%s/%.*s exists already (If-None-Match: *)",
                                     kind_name(write->kind), SLICE_ARG(write->name)));
    if (!write->has_if_match || GW_PLANTED("cas-skipped"))
        return GW_OK;
    if (old == NULL)
        return fail(write, error_set(&write->err, GW_PRECONDITION,
                                     "%s/%.*s does not exist (If-Match)",
                                     kind_name(write->kind), SLICE_ARG(write->name)));
    if (old->mod_revision != write->if_match)
        return fail(write,
                    error_set(&write->err, GW_PRECONDITION,
                              "%s/%.*s was changed at revision %llu, not %llu: read it "
                              "again",
                              kind_name(write->kind), SLICE_ARG(write->name),
                              (unsigned long long)old->mod_revision,
                              (unsigned long long)write->if_match));
    return GW_OK;
}

/* Something did not decode: what else is wrong is found all the same, so that one
 * answer tells everything. */
static enum result fail_decoded(struct write *write, const struct edition *base)
{
    struct catalog after;

    catalog_clone(&base->catalog, &after);
    if (!catalog_apply(&after, &write->change, NULL, NULL)) {
        catalog_deinit(&after);
        return no_memory(write);
    }
    catalog_check(&after, &write->change, write->regions, write->region_count,
                  &write->problems);
    catalog_deinit(&after);
    return fail_problems(write);
}

/* "preconditions": [{"kind", "name", "revision"}]: of any number of resources, touched by
 * the change or not; revision 0: it must not exist. They are judged here alone: the entry
 * is applied only where the configuration is the one that this was judged by. */
static enum result check_conditions(struct write *write, const struct edition *base,
                                    const struct value *list)
{
    struct command_detail detail = {.text = SLICE("not at the revision expected")};

    if (list == NULL || write->is_session_known || GW_PLANTED("cas-skipped"))
        return GW_OK;
    if (base->is_tentative) {
        write->needs_visible = true;
        return fail(write, GW_AGAIN);
    }
    if (list->type != VALUE_LIST)
        return fail(write, error_set(&write->err, GW_MALFORMED,
                                     "preconditions is a list of kind, name, revision"));
    for (const struct value *item = list->first; item != NULL; item = item->next) {
        enum kind kind = kind_by_name(value_text(item, "kind"));
        struct slice name = value_text(item, "name");
        char key[RESOURCE_KEY_MAX];
        uint64_t expected;
        if (kind == KIND_NONE || !resource_key(kind, name, key) ||
            !slice_parse_u64(value_text(item, "revision"), &expected))
            return fail(write, error_set(&write->err, GW_MALFORMED,
                                         "a precondition needs kind, name and revision, "
                                         "as its metadata say it; 0: it must not exist"));
        const struct resource *now = catalog_get(&base->catalog, kind, name);
        if ((now == NULL ? 0 : now->mod_revision) == expected)
            continue;
        if (detail.key_listed < COMMAND_DETAIL_KEYS)
            detail.keys[detail.key_listed++] =
                arena_copy(&write->arena, slice_from_string(key));
        detail.key_count++;
    }
    if (detail.key_count == 0)
        return GW_OK;
    command_detail_pack(&write->detail, &detail);
    return fail(write, GW_PRECONDITION);
}

static enum result put_value(struct write *write, const struct edition *base,
                             const struct value *root)
{
    const struct change_item *twin;
    const struct resource *resource = change_decode_object(
        &write->change, root, (struct slice){0}, 0, &twin, &write->problems);

    if (resource == NULL || resource->is_broken)
        return fail_decoded(write, base);
    if (resource->kind != write->kind || !slice_equal(resource->name, write->name)) {
        error_set(&write->err, GW_INVALID,
                  "the body is %s/%.*s, the address says %s/%.*s: they must agree",
                  kind_name(resource->kind), SLICE_ARG(resource->name),
                  kind_name(write->kind), SLICE_ARG(write->name));
        return fail(write, GW_INVALID);
    }
    return GW_OK;
}

static enum result patch(struct write *write, const struct edition *base,
                         const struct resource *old, const struct value *body)
{
    if (old == NULL)
        return fail(write, error_set(&write->err, GW_NOT_FOUND, "%s/%.*s does not exist",
                                     kind_name(write->kind), SLICE_ARG(write->name)));
    write->rests_on_state = true; /* for what does not decode, too */
    struct value *target = resource_value(&write->arena, old);
    struct value *merged = target == NULL ? NULL : value_merge(&write->arena, target, body);
    if (merged == NULL)
        return no_memory(write);
    return put_value(write, base, merged);
}

/* Body and base catalog into the change. */
static enum result read_change(struct write *write, const struct edition *base)
{
    const struct catalog *before = &base->catalog;
    struct value *body = NULL;

    if (write->has_only_at && before->revision != write->only_at)
        return fail(write, GW_AGAIN);
    if (write->type != WRITE_DELETE) {
        body = json_read(&write->arena, write->body, &write->err);
        if (body == NULL)
            return fail(write, write->err.code == GW_OK ? GW_MALFORMED : write->err.code);
    }
    if (write->type == WRITE_APPLY) {
        enum result conditions =
            check_conditions(write, base, value_get(body, "preconditions"));
        if (conditions != GW_OK)
            return conditions;
        if (!change_decode(&write->change, body, &write->problems))
            return fail_decoded(write, base);
        if (write->has_prune && !change_prune(&write->change, before, write->prune))
            return no_memory(write);
        return GW_OK;
    }

    const struct resource *old = catalog_get(before, write->kind, write->name);
    enum result result = check_preconditions(write, old);
    if (result != GW_OK)
        return result;
    switch (write->type) {
    case WRITE_PUT:
        return put_value(write, base, body);
    case WRITE_PATCH:
        return patch(write, base, old, body);
    default:
        if (old == NULL)
            return fail(write,
                        error_set(&write->err, GW_NOT_FOUND, "%s/%.*s does not exist",
                                  kind_name(write->kind), SLICE_ARG(write->name)));
        return change_delete(&write->change, write->kind, write->name) ? GW_OK
                                                                       : no_memory(write);
    }
}

#define CLUSTER_UNNAMED "quorumgate" /* what init calls it without --cluster */

/* The file of another cluster is refused before its first object sticks. A cluster that was
 * founded without a name takes that of the first Cluster object. */
static void check_cluster_name(struct write *write)
{
    if (write->cluster_name.size == 0 ||
        slice_equal(write->cluster_name, SLICE(CLUSTER_UNNAMED)))
        return;
    for (size_t i = 0; i < write->change.count; i++) {
        const struct change_item *item = &write->change.items[i];
        if (item->kind != KIND_CLUSTER || item->resource == NULL ||
            slice_equal(item->name, write->cluster_name))
            continue;
        struct problem place = {
            .item = item->place,
            .path = SLICE("metadata.name"),
            .object = arena_printf(&write->arena, "Cluster/%.*s", SLICE_ARG(item->name))};
        problems_add(
            &write->problems, &place, "other_cluster",
            "Cluster/%.*s: this cluster is named '%.*s'; is the file another cluster's?",
            SLICE_ARG(item->name), SLICE_ARG(write->cluster_name));
    }
}

/* With the change applied to `base`. */
static enum result check_after(struct write *write, struct edition *base,
                               struct catalog_undo *undo)
{
    if (!catalog_apply(&base->catalog, &write->change, &write->arena, undo)) {
        base->is_broken = true;
        return no_memory(write);
    }
    check_cluster_name(write);
    if (!catalog_check(&base->catalog, &write->change, write->regions, write->region_count,
                       &write->problems) ||
        problems_failed(&write->problems))
        return fail_problems(write);
    return GW_OK;
}

static void item_key(struct arena *arena, const struct change_item *item,
                     struct slice *ret_key)
{
    char key[RESOURCE_KEY_MAX];
    if (resource_key(item->kind, item->name, key))
        *ret_key = arena_copy(arena, slice_from_string(key));
}

/* One entry, all or nothing. Values are packed into one buffer first, so that
 * slices of it are taken only once it no longer moves. */
static enum result encode(struct write *write, const struct edition *base)
{
    struct transaction_item *items =
        arena_zalloc(&write->arena, (write->changed_count + 1) * sizeof *items);
    size_t *ends = arena_zalloc(&write->arena, (write->changed_count + 1) * sizeof *ends);
    struct buffer values;
    size_t count = 0;

    if (items == NULL || ends == NULL)
        return no_memory(write);
    buffer_init(&values, 0);
    for (size_t i = 0; i < write->change.count; i++) {
        const struct change_item *item = &write->change.items[i];
        if (item->action == CHANGE_UNCHANGED || count == write->changed_count)
            continue;
        item_key(&write->arena, item, &items[count].key);
        items[count].is_delete = item->resource == NULL;
        if (item->resource != NULL)
            resource_pack(&values, item->resource);
        if ((write->has_if_match && !GW_PLANTED("cas-skipped")) || write->if_none_match) {
            items[count].has_expected = true;
            items[count].expected_mod_revision = write->has_if_match ? write->if_match : 0;
        }
        ends[count++] = values.size;
    }
    for (size_t i = 0, start = 0; i < count; start = ends[i++])
        items[i].value = slice_sub(buffer_slice(&values), start, ends[i] - start);

    const struct command_header header = {
        .number = COMMAND_TRANSACTION,
        .wall_ms = write->wall_ms,
        .client = write->has_client ? slice_of(write->client, sizeof write->client)
                                    : (struct slice){0},
        .sequence = write->has_client ? 1 : 0,
        .actor = write->actor};
    struct slice message =
        write->change.message.size != 0 ? write->change.message : write->message;
    if (write->format < 2 && message.size != 0) {
        problems_add(
            &write->problems, &(struct problem){.is_warning = true}, "format",
            "the message is not kept before stored format 2: gwctl cluster upgrade");
        message = (struct slice){0};
    }
    const struct transaction transaction = {.conf_sequence = base->conf_sequence,
                                            .has_if_revision = write->has_if_revision,
                                            .if_revision = write->if_revision,
                                            .items = items,
                                            .item_count = count,
                                            .message = message};
    bool encoded = !values.failed &&
                   transaction_encode(&write->command, &header, &transaction) &&
                   !write->command.failed;
    buffer_deinit(&values);
    if (!encoded)
        return no_memory(write);
    if (write->command.size > WRITE_ENCODED_MAX)
        return fail(write, error_set(&write->err, GW_TOO_LARGE,
                                     "the change takes %.1f MiB, and a transaction holds "
                                     "8 MiB: apply it in several parts",
                                     (double)write->command.size / (1 << 20)));
    return GW_OK;
}

/* The session has answered this request: nothing is checked or proposed again. The
 * items are read for their names only. */
static void read_names(struct write *write, const struct edition *base)
{
    enum result result = write->result;

    if (read_change(write, base) == GW_OK)
        change_compare(&write->change, &base->catalog, write->wall_ms, write->actor,
                       &write->changed_count, &write->problems);
    problems_deinit(&write->problems);
    problems_init(&write->problems);
    write->changed_count = 0;
    write->err = ERROR_NONE;
    write->result = result;
}

void write_check(struct write *write, struct edition *base)
{
    struct catalog_undo undo = {0};

    write->base_revision = base->catalog.revision;
    write->is_on_tentative = base->is_tentative;
    if (base->is_broken) {
        no_memory(write);
        return;
    }
    if (write->is_session_known) {
        read_names(write, base);
        return;
    }
    if (read_change(write, base) != GW_OK)
        return;
    if (write->change.message.size > HISTORY_MESSAGE) {
        fail(write, error_set(&write->err, GW_INVALID, "message has %zu bytes; %d at most",
                              write->change.message.size, HISTORY_MESSAGE));
        return;
    }
    write->rests_on_state = true;
    if (!change_compare(&write->change, &base->catalog, write->wall_ms, write->actor,
                        &write->changed_count, &write->problems)) {
        fail_problems(write);
        return;
    }
    if (write->changed_count == 0 && write->name.size != 0 && !write->dry_run) {
        /* The answer has an ETag, which what is in flight has not yet. */
        if (base->is_tentative) {
            write->needs_visible = true;
            fail(write, GW_AGAIN);
            return;
        }
        const struct resource *found =
            catalog_get(&base->catalog, write->kind, write->name);
        write->mod_revision = found == NULL ? 0 : found->mod_revision;
    }
    if (check_after(write, base, &undo) == GW_OK && write->changed_count != 0)
        encode(write, base);
    if (write->result == GW_OK && write->changed_count != 0 && !write->dry_run) {
        catalog_undo_forget(&undo);
        base->conf_sequence++;
        base->is_tentative = true;
    } else if (!base->is_broken && !catalog_undo(&base->catalog, &write->change, &undo)) {
        base->is_broken = true;
    } else {
        catalog_undo_forget(&undo);
    }
}
