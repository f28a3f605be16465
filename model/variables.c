/* Variable names by table; those ending in '.' take a name behind the dot. */
#include "model/variables.h"

static const struct {
    const char *name;
    bool honoured;
} variables[] = {
    {"region", true},        {"zone", true},     {"node", true},      {"request.id", true},
    {"client.ip", true},     {"method", true},   {"scheme", true},    {"host", true},
    {"path", true},          {"query", true},    {"route", true},     {"service", true},
    {"header.", true},       {"capture.", true}, {"consumer", false}, {"jwt.", false},
    {"cert.subject", false},
};

bool variables_next(struct slice *rest, struct slice *ret_piece, bool *ret_is_variable)
{
    if (slice_is_empty(*rest))
        return false;
    *ret_is_variable = false;
    if (slice_starts_with(*rest, SLICE("$${"))) {
        *ret_piece = slice_sub(*rest, 1, 2);
        *rest = slice_from(*rest, 3);
        return true;
    }
    if (slice_starts_with(*rest, SLICE("${"))) {
        size_t end = slice_find_byte(*rest, '}');
        *ret_is_variable = true;
        *ret_piece =
            end == SIZE_MAX ? slice_sub(*rest, 2, 0) : slice_sub(*rest, 2, end - 2);
        *rest =
            end == SIZE_MAX ? slice_from(*rest, rest->size) : slice_from(*rest, end + 1);
        return true;
    }
    size_t size = 1;
    while (size < rest->size && rest->data[size] != '$')
        size++;
    *ret_piece = slice_sub(*rest, 0, size);
    *rest = slice_from(*rest, size);
    return true;
}

bool variable_is_known(struct slice name, bool *ret_honoured)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        struct slice known = slice_from_string(variables[i].name);
        *ret_honoured = variables[i].honoured;
        if (known.data[known.size - 1] != '.') {
            if (slice_equal(name, known))
                return true;
            continue;
        }
        if (!slice_starts_with(name, known) || name.size == known.size)
            continue;
        struct slice argument = slice_from(name, known.size);
        if (slice_equal(known, SLICE("capture.")))
            return argument.size == 1 && argument.data[0] >= '0' && argument.data[0] <= '9';
        return true;
    }
    return false;
}

const char *variable_suggest(struct slice name)
{
    const char *best = NULL;
    size_t nearest = 3;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        size_t distance = slice_distance(name, slice_from_string(variables[i].name), 2);
        if (distance < nearest) {
            nearest = distance;
            best = variables[i].name;
        }
    }
    return best;
}
