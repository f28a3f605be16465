/* Kinds are those of JSON; what a text or a number may say is the reader's to judge. */
#include "model/form.h"

#include <stdio.h>

#define NAME_SHOWN 80 /* bytes of a name that is not ours */

static unsigned kind_of(const struct value *value)
{
    if (value->type == VALUE_LIST)
        return FORM_LIST;
    if (value->type != VALUE_SCALAR)
        return 0;
    if (!value->is_number)
        return FORM_TEXT;
    return slice_equal(value->text, SLICE("true")) ||
                   slice_equal(value->text, SLICE("false"))
               ? FORM_FLAG
               : FORM_NUMBER;
}

static const char *kinds_text(unsigned kinds)
{
    if (kinds & FORM_LIST)
        return "a list";
    if (kinds & FORM_FLAG)
        return "true or false";
    return kinds & FORM_NUMBER ? "a number" : "a string";
}

static const struct form_field *find(const struct form *form, struct slice name)
{
    for (size_t i = 0; i < FORM_FIELDS_MAX && form->fields[i].name != NULL; i++) {
        if (slice_equal(name, slice_from_string(form->fields[i].name)))
            return &form->fields[i];
    }
    return NULL;
}

/* "kind, name, to" */
static void name_all(const struct form *form, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < FORM_FIELDS_MAX && form->fields[i].name != NULL; i++) {
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ",
                                     form->fields[i].name);
    }
}

enum result form_check(const struct form *form, const struct value *object,
                       struct error *err)
{
    char names[160];

    name_all(form, names, sizeof names);
    if (object->type != VALUE_MAP)
        return error_set(err, form->refusal, "the body is an object: %s", names);
    for (const struct value *v = object->first; v != NULL; v = v->next) {
        const struct form_field *field = find(form, v->key);
        if (field == NULL)
            return error_set(err, form->refusal,
                             "unknown field '%.*s' in the body; there are: %s",
                             v->key.size > NAME_SHOWN ? NAME_SHOWN : (int)v->key.size,
                             v->key.data, names);
        if (v->type != VALUE_NULL && (kind_of(v) & field->kinds) == 0)
            return error_set(err, form->refusal, "%s: %s is needed", field->name,
                             kinds_text(field->kinds));
    }
    return GW_OK;
}

struct value *form_read(const struct form *form, struct arena *arena, struct slice text,
                        struct error *err)
{
    struct value *object;

    if (text.size == 0 && form->may_be_missing) {
        object = value_new(arena, VALUE_MAP);
        if (object == NULL)
            error_set(err, GW_NO_MEMORY, "read the body");
        return object;
    }
    object = json_read(arena, text, err);
    return object != NULL && form_check(form, object, err) == GW_OK ? object : NULL;
}
