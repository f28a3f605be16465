/* FIELD=VALUE onto a document tree, as `gwctl set` takes it.
 *
 * FIELD is a path: "timeout", "match.hosts[0]", "endpoints[cart-us-1].weight",
 * "metadata.labels.team", "metadata.annotations[\"a.b/c\"]". It stands below spec
 * unless it begins with spec or metadata. In a list, [N] is a place, [NAME] the
 * element of that name, and [+] a new one at the end. VALUE is YAML: 5, true, 2s,
 * [a, b], {name: x}; null takes the field away. */
#ifndef GW_MODEL_ASSIGN_H
#define GW_MODEL_ASSIGN_H

#include "model/value.h"

/* Changes `root`, whose nodes and those that are added live in `arena`. GW_USAGE: the path
 * or the value is malformed, GW_NOT_FOUND: there is no such element of a list; nothing is
 * changed then but for maps on the way that may be there now, empty. */
enum result assign(struct arena *arena, struct value *root, struct slice assignment,
                   struct error *err);

#endif
