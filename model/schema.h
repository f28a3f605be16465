/* The schema: one const table of fields per struct, and what walks it.
 *
 * A kind is described once, in kind_*.c: number, name, type, place in the
 * struct, default, bounds, help, and whether anything honours the field yet.
 * From that come decoding with all its errors, JSON and msgpack both ways,
 * help and the reference. Tables are read-only; any thread may walk them.
 *
 * Every struct begins with `uint64_t set`: bit n is field number n. A field
 * not set holds its default (or its absent value, types.h), so readers of a
 * spec need no `set` but where absent and default differ in meaning. */
#ifndef GW_MODEL_SCHEMA_H
#define GW_MODEL_SCHEMA_H

#include "base/emit.h"
#include "model/kind.h"
#include "model/problems.h"
#include "model/types.h"
#include "model/value.h"

enum field_type {
    FIELD_BOOL,     /* bool */
    FIELD_NUMBER,   /* int64_t */
    FIELD_DURATION, /* uint64_t, milliseconds */
    FIELD_SIZE,     /* uint64_t, bytes */
    FIELD_RATE,     /* struct rate */
    FIELD_SHARE,    /* uint32_t, hundredths of a percent */
    FIELD_STATUS,   /* uint16_t */
    FIELD_CIDR,     /* struct cidr */
    FIELD_PORT,     /* uint16_t */
    FIELD_CHOICE,   /* int: index in `values` */
    /* all these: struct slice */
    FIELD_STRING,
    FIELD_HOST,    /* lower case */
    FIELD_PATTERN, /* a host, or "*.suffix"; lower case */
    FIELD_ADDRESS, /* host:port */
    FIELD_BIND,    /* address:port, the address may be left out */
    FIELD_URL,
    FIELD_TIME,     /* RFC 3339, kept as text */
    FIELD_REGEX,    /* PCRE2, compiles */
    FIELD_PATH,     /* begins with '/' */
    FIELD_TOKEN,    /* RFC 9110 token: header, cookie name */
    FIELD_HEADER,   /* a token in lower case */
    FIELD_METHOD,   /* a token in upper case */
    FIELD_TEMPLATE, /* may hold ${variables} of the request */
    FIELD_REF,      /* name of an object of kind `ref` */
    FIELD_BLOB,     /* struct blob */
    FIELD_SECRET,   /* struct blob */
    FIELD_STRUCT,   /* embedded struct: defaults apply when it is left out */
    FIELD_SECTION,  /* pointer to a struct: NULL when it is left out */
    FIELD_INLINE,   /* embedded struct whose fields stand among its parent's */
    FIELD_RESERVED, /* an error until built */
};

enum field_shape {
    FIELD_ONE,
    FIELD_LIST, /* ARRAY(item) */
    FIELD_MAP,  /* ARRAY(struct pair), or of struct secret_pair */
};

struct schema;

struct field {
    const char *name;
    uint8_t number; /* 1 to 63, for ever: it is the key in msgpack */
    uint8_t type;   /* enum field_type */
    uint8_t shape;  /* enum field_shape */
    uint8_t ref;    /* enum kind, of a FIELD_REF */
    uint32_t offset;
    uint32_t item_size;  /* of a list's items */
    const char *initial; /* the default, as YAML; NULL: none */
    int64_t min, max;    /* bounds of numbers, durations, sizes, shares; both 0: none */
    const char *const *values;   /* of a FIELD_CHOICE, or allowed strings; ends with NULL */
    const struct schema *schema; /* of structs */
    bool required;
    bool honoured;             /* something acts on it; else using it is a warning */
    const char *honoured_only; /* the values something acts on, space between; NULL: all */
    const char *reserved;      /* values that are reserved, space between */
    bool (*check)(struct slice text);      /* of a string, beyond its type */
    const char *expected;                  /* what `check` wants, for the message */
    bool (*check_name)(struct slice name); /* of a map's names, in lower case */
    const char *help;
};

struct decode;

struct schema_blank { /* an object with every default, made on first use */
    void *image;      /* atomic */
};

struct schema {
    const char *name; /* for help: "Route", "retry" */
    const char *noun; /* of a list's items in messages: "endpoint"; else NULL */
    size_t size;
    const struct field *fields; /* the last has no name */
    bool one_of;                /* exactly one field must be set */
    const char *help;
    struct schema_blank *blank;
    /* Checks between fields; reports by decode_error. */
    void (*check)(struct decode *decode, const void *object, const struct value *value);
};

/* True where the field of this number was given. `object` begins with `set`. */
static inline bool field_is_set(const void *object, unsigned number)
{
    uint64_t set;
    memcpy(&set, object, sizeof set);
    return set >> number & 1;
}

/* --- from a document ------------------------------------------------------ */

struct decode {
    struct arena *arena;       /* takes what the struct points at */
    struct problems *problems; /* takes every problem */
    struct slice file;
    struct slice object; /* "Route/catalog" */
    int32_t item;        /* as in struct problem */
    char path[512];      /* of the value at hand: "spec.match" */
    size_t path_size;
    char label[128];   /* of the list item at hand, "endpoint cart-us-1", or empty */
    size_t label_path; /* bytes of `path` that lead to that item */
    bool quiet;        /* no warnings */
    size_t holes;      /* fields whose value is not known, for its error */
};

#define LIST_ITEMS_MAX 100000 /* of one list or map */

/* Fills `object` (schema->size bytes) with defaults and what `value` sets.
 * False if there were errors; `object` then holds what could be read: enough to
 * look at its references, and with `holes` 0 to compare it with others. */
bool schema_decode(struct decode *decode, const struct schema *schema,
                   const struct value *value, void *object);
/* For schema->check: an error at the entry `key` of `value`, or at `value`. */
void decode_error(struct decode *decode, const struct value *value, const char *key,
                  const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Only the defaults. `object` has schema->size bytes. */
void schema_defaults(const struct schema *schema, void *object);

/* --- to JSON and msgpack --------------------------------------------------- */

/* The object as JSON: fields that are set, units in canonical form; with
 * `effective` those with a default too. Secrets are never printed. */
void schema_emit(struct emit *emit, const struct schema *schema, const void *object,
                 bool effective);
/* One field's value, as schema_emit prints it. */
void schema_emit_field(struct emit *emit, const struct field *field, const void *object,
                       bool effective);
/* Numbered fields that are set; canonical: equal objects give equal bytes. */
void schema_pack(struct buffer *out, const struct schema *schema, const void *object);
/* The reverse. Unknown numbers, of a newer version, are skipped and counted.
 * Never reads outside `bytes`; strings are copied into `arena`. */
enum result schema_unpack(struct arena *arena, const struct schema *schema,
                          struct slice bytes, void *object, size_t *ret_unknown,
                          struct error *err);
bool schema_equal(const struct schema *schema, const void *a, const void *b);

/* --- walking ---------------------------------------------------------------- */

/* Calls `visit` for every reference that is set, with its path. */
typedef void (*reference_fn)(void *context, const char *path, const char *label,
                             enum kind kind, struct slice name);
void schema_references(const struct schema *schema, const void *object, const char *path,
                       reference_fn visit, void *context);
/* By name, inline ones too; *ret_object is moved to the struct that holds it. */
const struct field *schema_field(const struct schema *schema, struct slice name,
                                 const void **object);
/* Help for `gwctl schema`: the fields below `path` ("match.path", or empty).
 * GW_NOT_FOUND with the nearest name. */
enum result schema_describe(const struct schema *schema, struct slice path,
                            struct buffer *out, struct error *err);
/* The reference in Markdown, of every kind: docs/resources/README.md. */
void schema_document(struct buffer *out);
/* Text of a field's type for people: "dur", "[host]", "http|tcp". */
void field_type_print(const struct field *field, struct buffer *out);

#endif
