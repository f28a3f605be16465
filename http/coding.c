/* Weights count only as zero or not: we have one coding to offer, and what a client
 * takes at all it takes. */
#include "http/coding.h"

#include "http/fields.h"

/* "0", "0.", "0.000"; a weight that is none counts as one. */
static bool is_zero(struct slice weight)
{
    if (weight.size == 0 || weight.data[0] != '0')
        return false;
    for (size_t i = 1; i < weight.size; i++)
        if (weight.data[i] != (i == 1 ? '.' : '0'))
            return false;
    return true;
}

bool coding_is_accepted(struct slice accepted, struct slice coding)
{
    struct slice item, weight;
    bool any = false;

    while (fields_list_next(&accepted, &item)) {
        struct slice name = fields_media(item);
        bool is_taken = !fields_parameter(item, SLICE("q"), &weight) || !is_zero(weight);
        if (slice_equal_nocase(name, coding))
            return is_taken; /* rules over "*", wherever that stands */
        if (slice_equal(name, SLICE("*")))
            any = is_taken;
    }
    return any;
}
