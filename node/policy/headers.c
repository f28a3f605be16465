/* Changes to headers, in the order of the stack; within one section: remove,
 * then set, then add, so that a section can replace every value of a name.
 *
 * Names that frame a message or end at this hop are refused: changing them
 * would let a configuration smuggle. So is Host in requests, which rewrite.host
 * is for. */
#include "node/policy/policy.h"

#include "http/fields.h"

#include <stdio.h>

bool headers_is_reserved(struct slice name, bool is_request)
{
    if (!fields_is_token(name))
        return true;
    switch (http_header_id_of(name)) {
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_CONTENT_LENGTH:
    case HTTP_HEADER_KEEP_ALIVE:
    case HTTP_HEADER_PROXY_CONNECTION:
    case HTTP_HEADER_TE:
    case HTTP_HEADER_TRAILER:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_UPGRADE:
        return true;
    case HTTP_HEADER_HOST:
        return is_request;
    default:
        return false;
    }
}

static enum result check_name(struct slice name, bool is_request, struct error *err)
{
    if (!headers_is_reserved(name, is_request))
        return GW_OK;
    return error_set(err, GW_INVALID,
                     "header '%.*s' is the gateway's own and cannot be changed",
                     SLICE_ARG(name));
}

enum result headers_compile_pair(struct policy_compile *compile, const struct pair *pair,
                                 bool is_request, struct header_change *ret_change,
                                 struct error *err)
{
    enum result result = check_name(pair->name, is_request, err);
    if (result != GW_OK)
        return result;
    *ret_change = (struct header_change){.name = arena_copy(compile->arena, pair->name)};
    if (ret_change->name.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile header changes");
    result = template_compile(compile->arena, pair->value, &ret_change->value, err);
    if (result != GW_OK)
        return error_wrap(err, "header '%.*s'", SLICE_ARG(pair->name));
    for (uint32_t i = 0; i < ret_change->value->count; i++)
        if (ret_change->value->parts[i].variable == TEMPLATE_LITERAL &&
            !fields_is_value(ret_change->value->parts[i].text))
            return error_set(err, GW_INVALID, "header '%.*s': control character in value",
                             SLICE_ARG(pair->name));
    if (ret_change->value->unbuilt.size > 0 && compile->warn != NULL) {
        char text[160];
        snprintf(text, sizeof text, "variable '${%.*s}' has no value yet",
                 SLICE_ARG(ret_change->value->unbuilt));
        compile->warn(compile->context, text);
    }
    return GW_OK;
}

static enum result add_section(struct policy_compile *compile,
                               const struct header_changes *section, bool is_request,
                               struct header_change *changes, uint32_t *count,
                               struct error *err)
{
    enum result result;

    for (size_t i = 0; i < section->remove.count; i++) {
        if ((result = check_name(section->remove.items[i], is_request, err)) != GW_OK)
            return result;
        changes[(*count)++] = (struct header_change){
            .name = arena_copy(compile->arena, section->remove.items[i])};
    }
    for (size_t i = 0; i < section->replace.count; i++) {
        result = headers_compile_pair(compile, &section->replace.items[i], is_request,
                                      &changes[(*count)++], err);
        if (result != GW_OK)
            return result;
    }
    for (size_t i = 0; i < section->add.count; i++) {
        result = headers_compile_pair(compile, &section->add.items[i], is_request,
                                      &changes[*count], err);
        if (result != GW_OK)
            return result;
        changes[(*count)++].add = true;
    }
    return GW_OK;
}

static enum result compile_direction(struct policy_compile *compile,
                                     const struct effective_stack *stack, bool is_request,
                                     const struct header_change **ret_changes,
                                     uint32_t *ret_count, struct error *err)
{
    size_t total = 0;
    uint32_t count = 0;

    for (size_t i = 0; i < stack->count; i++) {
        const struct headers_policy *policy = stack->items[i].section;
        const struct header_changes *section =
            is_request ? &policy->request : &policy->response;
        total += section->remove.count + section->replace.count + section->add.count;
    }
    if (total == 0)
        return GW_OK;
    struct header_change *changes = arena_alloc(compile->arena, total * sizeof *changes);
    if (changes == NULL)
        return error_set(err, GW_NO_MEMORY, "compile header changes");
    for (size_t i = 0; i < stack->count; i++) {
        const struct headers_policy *policy = stack->items[i].section;
        enum result result =
            add_section(compile, is_request ? &policy->request : &policy->response,
                        is_request, changes, &count, err);
        if (result != GW_OK)
            return error_wrap(err, "%s", is_request ? "request" : "response");
    }
    *ret_changes = changes;
    *ret_count = count;
    return GW_OK;
}

static enum result compile_headers(struct policy_compile *compile,
                                   const struct effective *effective,
                                   struct policy_set *ret_set, struct error *err)
{
    enum result result =
        compile_direction(compile, &effective->headers, true, &ret_set->request_headers,
                          &ret_set->request_header_count, err);
    if (result != GW_OK)
        return result;
    return compile_direction(compile, &effective->headers, false,
                             &ret_set->response_headers, &ret_set->response_header_count,
                             err);
}

const struct policy_type policy_headers = {.name = "headers", .compile = compile_headers};
