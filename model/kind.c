/* The list of kinds and finding one by what people type. Linear: there are eleven. */
#include "model/kind.h"

#include "model/kind_cluster.h"
#include "model/kind_listener.h"
#include "model/kind_policy.h"
#include "model/kind_region.h"
#include "model/kind_route.h"
#include "model/kind_service.h"

static const struct {
    const char *name, *word, *plural;
    bool supported;
} kinds[KIND_COUNT] = {
#define X(constant, name, word, plural, supported) {name, word, plural, supported},
    GW_KINDS(X)
#undef X
};

static const struct schema *const schemas[KIND_COUNT] = {
    [KIND_CLUSTER] = &cluster_schema,   [KIND_REGION] = &region_schema,
    [KIND_LISTENER] = &listener_schema, [KIND_SERVICE] = &service_schema,
    [KIND_ROUTE] = &route_schema,       [KIND_POLICY] = &policy_schema,
};

const char *kind_name(enum kind kind)
{
    return kind < KIND_COUNT ? kinds[kind].name : "none";
}

const char *kind_word(enum kind kind)
{
    return kind < KIND_COUNT ? kinds[kind].word : "none";
}

const char *kind_plural(enum kind kind)
{
    return kind < KIND_COUNT ? kinds[kind].plural : "none";
}

bool kind_is_supported(enum kind kind)
{
    return kind < KIND_COUNT && kinds[kind].supported;
}

const struct schema *kind_schema(enum kind kind)
{
    return kind < KIND_COUNT ? schemas[kind] : NULL;
}

enum kind kind_by_name(struct slice name)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (slice_equal_nocase(name, slice_from_string(kinds[i].word)) ||
            slice_equal_nocase(name, slice_from_string(kinds[i].plural)))
            return (enum kind)i;
    return KIND_NONE;
}

const char *kind_suggest(struct slice name)
{
    char lower[32];
    if (name.size > sizeof lower)
        return NULL;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    const char *best = NULL;
    size_t nearest = 3;
    for (int i = 0; i < KIND_COUNT; i++) {
        size_t distance =
            slice_distance(slice_of(lower, name.size), slice_from_string(kinds[i].word), 2);
        if (distance < nearest) {
            nearest = distance;
            best = kinds[i].name;
        }
    }
    return best;
}
