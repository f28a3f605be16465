/* A document as read: a tree of lists, maps and scalars with positions.
 *
 * YAML and JSON both become this; no types yet, since those come from the
 * schema: a scalar is its text and whether it was quoted. Nodes and texts live
 * in the arena given to the reader. Owned by one thread. */
#ifndef GW_MODEL_VALUE_H
#define GW_MODEL_VALUE_H

#include "base/arena.h"
#include "base/emit.h"
#include "base/error.h"

#define VALUE_DEPTH_MAX      64
#define VALUE_ALIAS_NODE_MAX 10000
#define VALUE_DOCUMENT_MAX   (16u << 20)

struct problems;

enum value_type { VALUE_NULL, VALUE_SCALAR, VALUE_LIST, VALUE_MAP };

struct value {
    enum value_type type;
    bool quoted;           /* scalar: a quoted or block scalar, or a JSON string */
    bool is_number;        /* scalar that came as a JSON number or boolean */
    uint32_t line, column; /* from 1; 0: unknown (JSON) */
    uint32_t key_line, key_column;
    struct slice key;           /* when an entry of a map */
    struct slice text;          /* scalar */
    struct value *first, *last; /* children of a list or map, in order */
    struct value *next;         /* sibling */
    size_t count;               /* of children */
};

/* Reads every document of a YAML (or JSON) text; gives a list of their roots,
 * empty documents left out. Problems get `file`, line and column. NULL when
 * there was an error; what was wrong is in `problems`. */
struct value *yaml_read(struct arena *arena, struct slice file, struct slice text,
                        struct problems *problems);

/* Reads one JSON text, without positions: duplicate keys, depth and size are
 * refused. NULL on error. */
struct value *json_read(struct arena *arena, struct slice text, struct error *err);

/* The entry of a map, or NULL (also when `map` is NULL or no map). */
struct value *value_get(const struct value *map, const char *key);
/* Text of a scalar entry, or the empty slice. */
struct slice value_text(const struct value *map, const char *key);
/* Follows "spec.endpoints[2].region" as far as it exists; the last node met. */
const struct value *value_at(const struct value *root, struct slice path);
/* As JSON: scalars as strings, but plain numbers and true, false as they are. */
void value_emit(struct emit *emit, const struct value *value);
/* RFC 7396 merge patch of `patch` onto `target`, in `arena`; both are left as
 * they were. NULL when out of memory. */
struct value *value_merge(struct arena *arena, const struct value *target,
                          const struct value *patch);

/* Nodes made by hand. NULL when out of memory. */
struct value *value_new(struct arena *arena, enum value_type type);
struct value *value_scalar(struct arena *arena, struct slice text, bool quoted);
void value_append(struct value *parent, struct value *child);
void value_set(struct value *map, struct slice key, struct value *child); /* replaces */

#endif
