/* Keys that are no resources never stand in the history; one that this version
 * does not know is left out. */
#include "node/control/history_emit.h"

#include "base/instant.h"
#include "model/resource.h"

bool history_filter_read(struct request *request, struct history_filter *ret_filter)
{
    struct slice text;

    *ret_filter = (struct history_filter){.kind = KIND_NONE};
    if (request_query(request, "kind", &text) && !slice_equal(text, SLICE("all"))) {
        ret_filter->kind = kind_by_name(text);
        if (ret_filter->kind == KIND_NONE) {
            const char *nearest = kind_suggest(text);
            request_fail(request, GW_NOT_FOUND, "there is no kind '%.*s'%s%s%s",
                         SLICE_ARG(text), nearest == NULL ? "" : " (did you mean '",
                         nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?)");
            return false;
        }
    }
    if (request_query(request, "name", &text))
        ret_filter->name = text;
    return true;
}

bool history_filter_takes(const struct history_filter *filter, struct slice key,
                          enum kind *ret_kind, struct slice *ret_name)
{
    return resource_key_parse(key, ret_kind, ret_name) &&
           (filter->kind == KIND_NONE || filter->kind == *ret_kind) &&
           (filter->name.size == 0 || slice_equal(filter->name, *ret_name));
}

bool history_matches(const struct history_filter *filter, struct slice packed)
{
    struct unpack in;
    struct history_header header;
    struct history_item item;
    enum kind kind;
    struct slice name;

    if (!history_entry_open(packed, &in, &header))
        return false;
    for (uint32_t i = 0; i < header.item_count; i++) {
        if (!history_entry_next(&in, &item))
            return false;
        if (history_filter_takes(filter, item.key, &kind, &name))
            return true;
    }
    return false;
}

static void emit_header(struct emit *emit, uint64_t revision,
                        const struct history_header *header)
{
    char at[INSTANT_TEXT_SIZE];

    instant_format(header->wall_ms, at);
    emit_key(emit, "revision");
    emit_u64_string(emit, revision);
    emit_key(emit, "at");
    emit_cstring(emit, at);
    emit_key(emit, "by");
    emit_string(emit, header->actor);
    emit_key(emit, "message");
    emit_string(emit, header->message);
    emit_key(emit, "changeCount");
    emit_u64(emit, header->item_count);
}

const char *history_action_word(enum history_action action)
{
    static const char *const words[] = {[HISTORY_CREATED] = "created",
                                        [HISTORY_CHANGED] = "changed",
                                        [HISTORY_DELETED] = "deleted"};

    return words[action];
}

static void emit_change(struct emit *emit, enum kind kind, struct slice name,
                        enum history_action action)
{
    emit_key(emit, "kind");
    emit_cstring(emit, kind_name(kind));
    emit_key(emit, "name");
    emit_string(emit, name);
    emit_key(emit, "action");
    emit_cstring(emit, history_action_word(action));
}

void history_emit(struct emit *emit, uint64_t revision, const struct history_filter *filter,
                  struct slice packed)
{
    struct unpack in;
    struct history_header header;
    struct history_item item;
    enum kind kind;
    struct slice name;
    unsigned told = 0;

    if (!history_entry_open(packed, &in, &header))
        return;
    emit_object(emit);
    emit_header(emit, revision, &header);
    emit_key(emit, "changes");
    emit_array(emit);
    for (uint32_t i = 0; i < header.item_count && told < HISTORY_CHANGES_MAX; i++) {
        if (!history_entry_next(&in, &item))
            break;
        if (!history_filter_takes(filter, item.key, &kind, &name))
            continue;
        told++;
        emit_object(emit);
        emit_change(emit, kind, name, item.action);
        emit_object_end(emit);
    }
    emit_array_end(emit);
    emit_object_end(emit);
}
