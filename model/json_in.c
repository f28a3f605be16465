/* JSON by jansson, into the document tree: what comes over the API.
 *
 * Depth is looked at before parsing, since jansson recurses; double keys are
 * refused by it. Numbers keep the sign and digits of integers; the schema has
 * no others. No positions: a server names paths, and gwctl knows the lines. */
#include "model/value.h"

#include <jansson.h>
#include <stdio.h>

static bool is_too_deep(struct slice text)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > VALUE_DEPTH_MAX)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static struct value *convert(struct arena *arena, const json_t *json)
{
    struct value *value;
    char number[40];
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        value = value_new(arena, VALUE_MAP);
        json_t *object = (json_t *)(uintptr_t)json;
        for (void *at = value == NULL ? NULL : json_object_iter(object); at != NULL;
             at = json_object_iter_next(object, at)) {
            struct value *child = convert(arena, json_object_iter_value(at));
            if (child == NULL)
                return NULL;
            child->key = arena_copy(
                arena, slice_of(json_object_iter_key(at), json_object_iter_key_len(at)));
            if (child->key.data == NULL)
                child->key = SLICE("");
            value_append(value, child);
        }
        return value;
    }
    case JSON_ARRAY:
        value = value_new(arena, VALUE_LIST);
        for (size_t i = 0; value != NULL && i < json_array_size(json); i++) {
            struct value *child = convert(arena, json_array_get(json, i));
            if (child == NULL)
                return NULL;
            value_append(value, child);
        }
        return value;
    case JSON_STRING:
        return value_scalar(
            arena, slice_of(json_string_value(json), json_string_length(json)), true);
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_REAL:
        snprintf(number, sizeof number, "%.17g", json_real_value(json));
        break;
    case JSON_TRUE:
        snprintf(number, sizeof number, "true");
        break;
    case JSON_FALSE:
        snprintf(number, sizeof number, "false");
        break;
    case JSON_NULL:
    default:
        return value_new(arena, VALUE_NULL);
    }
    value = value_scalar(arena, slice_from_string(number), false);
    if (value != NULL)
        value->is_number = true;
    return value;
}

struct value *json_read(struct arena *arena, struct slice text, struct error *err)
{
    if (text.size > VALUE_DOCUMENT_MAX) {
        error_set(err, GW_TOO_LARGE, "the text is larger than 16 MiB");
        return NULL;
    }
    if (is_too_deep(text)) {
        error_set(err, GW_MALFORMED, "nested more than 64 deep");
        return NULL;
    }
    json_error_t problem;
    json_t *json =
        json_loadb(text.size > 0 ? text.data : "", text.size,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (json == NULL) {
        error_set(err, GW_MALFORMED, "not JSON: line %d, column %d: %s", problem.line,
                  problem.column, problem.text);
        return NULL;
    }
    struct value *value = convert(arena, json);
    json_decref(json);
    if (value == NULL)
        error_set(err, GW_NO_MEMORY, "read JSON");
    return value;
}
