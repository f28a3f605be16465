/* One walk along the path; what is missing on the way is made, since an absent map
 * is one with nothing in it. */
#include "model/assign.h"

#include "model/problems.h"

enum step_type { STEP_KEY, STEP_ELEMENT };

struct step {
    enum step_type type;
    struct slice text;
};

static enum result malformed(struct error *err, struct slice path)
{
    return error_set(err, GW_USAGE,
                     "'%.*s' is no field: as timeout, endpoints[0].weight, "
                     "endpoints[NAME].weight or metadata.labels.team",
                     SLICE_ARG(path));
}

/* The next step off the front of the path. */
static bool take_step(struct slice *path, struct step *ret_step)
{
    size_t end = 0;

    if (path->size > 1 && path->data[0] == '[' && path->data[1] == '"') {
        end = slice_find_byte(slice_from(*path, 2), '"');
        if (end == SIZE_MAX || end == 0 || path->size < end + 4 ||
            path->data[end + 3] != ']')
            return false;
        *ret_step = (struct step){STEP_KEY, slice_sub(*path, 2, end)};
        *path = slice_from(*path, end + 4);
    } else if (path->size > 0 && path->data[0] == '[') {
        end = slice_find_byte(*path, ']');
        if (end == SIZE_MAX || end < 2)
            return false;
        *ret_step = (struct step){STEP_ELEMENT, slice_sub(*path, 1, end - 1)};
        *path = slice_from(*path, end + 1);
    } else {
        while (end < path->size && path->data[end] != '.' && path->data[end] != '[')
            end++;
        if (end == 0)
            return false;
        *ret_step = (struct step){STEP_KEY, slice_sub(*path, 0, end)};
        *path = slice_from(*path, end);
    }
    if (path->size > 0 && path->data[0] == '.') {
        *path = slice_from(*path, 1);
        return path->size > 0;
    }
    return path->size == 0 || path->data[0] == '[';
}

static struct value *element(const struct value *list, struct slice text)
{
    uint64_t index;
    bool is_index = slice_parse_u64(text, &index);

    for (struct value *v = list->first; v != NULL; v = v->next) {
        if (is_index ? index-- == 0 : slice_equal(value_text(v, "name"), text))
            return v;
    }
    return NULL;
}

/* What the step leads to; NULL: to nothing yet. */
static struct value *find(const struct value *at, const struct step *step)
{
    if (step->type == STEP_ELEMENT)
        return element(at, step->text);
    for (struct value *v = at->first; v != NULL; v = v->next) {
        if (slice_equal(v->key, step->text))
            return v;
    }
    return NULL;
}

static void take_away(struct value *parent, const struct value *child)
{
    struct value *before = NULL;

    for (struct value *v = parent->first; v != NULL; before = v, v = v->next) {
        if (v != child)
            continue;
        if (before == NULL)
            parent->first = v->next;
        else
            before->next = v->next;
        if (parent->last == v)
            parent->last = before;
        parent->count--;
        return;
    }
}

/* A map or list takes the place of nothing; everything else has to be one already. */
static bool become(struct value *at, enum value_type type)
{
    if (at->type == VALUE_NULL)
        at->type = type;
    return at->type == type;
}

/* `old` in `parent` becomes `fresh`, NULL: goes; `old` NULL: `fresh` is new. */
static enum result place(struct value *parent, const struct step *step, struct value *old,
                         struct value *fresh, struct error *err)
{
    if (fresh == NULL) {
        if (old != NULL)
            take_away(parent, old);
        return GW_OK;
    }
    if (step->type == STEP_KEY) {
        value_set(parent, step->text, fresh);
        return GW_OK;
    }
    if (old == NULL && !slice_equal(step->text, SLICE("+")))
        return error_set(err, GW_NOT_FOUND,
                         "there is no element '%.*s'; [+] adds one at the end",
                         SLICE_ARG(step->text));
    if (old == NULL) {
        value_append(parent, fresh);
        return GW_OK;
    }
    struct value *next = old->next;
    *old = *fresh;
    old->next = next;
    return GW_OK;
}

static enum result walk(struct arena *arena, struct value *at, struct slice path,
                        struct slice whole, struct value *fresh, struct error *err)
{
    for (;;) {
        struct step step;
        if (!take_step(&path, &step))
            return malformed(err, whole);
        if (!become(at, step.type == STEP_KEY ? VALUE_MAP : VALUE_LIST))
            return error_set(err, GW_USAGE, "'%.*s': %s is not a %s", SLICE_ARG(whole),
                             step.type == STEP_KEY ? "what '.' stands behind"
                                                   : "what '[' stands behind",
                             step.type == STEP_KEY ? "map" : "list");
        struct value *next = find(at, &step);
        if (path.size == 0)
            return place(at, &step, next, fresh, err);
        if (next == NULL && fresh == NULL)
            return GW_OK; /* nothing there to take away */
        if (next == NULL) {
            next = value_new(arena, VALUE_NULL);
            if (next == NULL)
                return error_set(err, GW_NO_MEMORY, "set '%.*s'", SLICE_ARG(whole));
            if (place(at, &step, NULL, next, err) != GW_OK)
                return err->code;
        }
        at = next;
    }
}

static enum result read_value(struct arena *arena, struct slice text, struct slice whole,
                              struct value **ret_value, struct error *err)
{
    struct problems problems;

    if (text.size == 0) {
        *ret_value = value_scalar(arena, SLICE(""), true);
        return GW_OK;
    }
    problems_init(&problems);
    struct value *roots = yaml_read(arena, SLICE("value"), text, &problems);
    if (roots == NULL || roots->count > 1)
        error_set(err, GW_USAGE, "'%.*s' is not one YAML value: put it in quotes",
                  SLICE_ARG(whole));
    else
        *ret_value =
            roots->count == 0 || roots->first->type == VALUE_NULL ? NULL : roots->first;
    problems_deinit(&problems);
    return err->code;
}

enum result assign(struct arena *arena, struct value *root, struct slice assignment,
                   struct error *err)
{
    size_t equals = slice_find_byte(assignment, '=');
    struct value *fresh = NULL;

    err->code = GW_OK;
    if (equals == SIZE_MAX || equals == 0)
        return error_set(err, GW_USAGE, "'%.*s' is not FIELD=VALUE", SLICE_ARG(assignment));
    struct slice path = slice_sub(assignment, 0, equals), first = path;
    struct step step;
    if (read_value(arena, slice_from(assignment, equals + 1), assignment, &fresh, err) !=
        GW_OK)
        return err->code;
    if (!take_step(&first, &step) || step.type != STEP_KEY)
        return malformed(err, path);
    if (slice_equal(step.text, SLICE("spec")) || slice_equal(step.text, SLICE("metadata")))
        return first.size == 0 ? malformed(err, path)
                               : walk(arena, root, path, path, fresh, err);
    struct value *spec = value_get(root, "spec");
    if (spec == NULL) {
        spec = value_new(arena, VALUE_MAP);
        if (spec == NULL)
            return error_set(err, GW_NO_MEMORY, "set '%.*s'", SLICE_ARG(path));
        value_set(root, SLICE("spec"), spec);
    }
    return walk(arena, spec, path, path, fresh, err);
}
