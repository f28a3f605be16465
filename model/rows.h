/* The words that rows of a schema are written in; for kind_*.c only.
 *
 *   DURATION(3, struct limits, idle_ms, "idle", .initial = "60s", .honoured = true,
 *            .help = "Silence after which a connection is closed."),
 *
 * A member of another type than the row's does not compile. */
#ifndef GW_MODEL_ROWS_H
#define GW_MODEL_ROWS_H

#include "model/schema.h"

#define CTYPE_BOOL     bool
#define CTYPE_NUMBER   int64_t
#define CTYPE_DURATION uint64_t
#define CTYPE_SIZE     uint64_t
#define CTYPE_RATE     struct rate
#define CTYPE_SHARE    uint32_t
#define CTYPE_STATUS   uint16_t
#define CTYPE_CIDR     struct cidr
#define CTYPE_PORT     uint16_t
#define CTYPE_CHOICE   int
#define CTYPE_STRING   struct slice
#define CTYPE_HOST     struct slice
#define CTYPE_PATTERN  struct slice
#define CTYPE_ADDRESS  struct slice
#define CTYPE_BIND     struct slice
#define CTYPE_URL      struct slice
#define CTYPE_TIME     struct slice
#define CTYPE_REGEX    struct slice
#define CTYPE_PATH     struct slice
#define CTYPE_TOKEN    struct slice
#define CTYPE_HEADER   struct slice
#define CTYPE_METHOD   struct slice
#define CTYPE_TEMPLATE struct slice
#define CTYPE_REF      struct slice
#define CTYPE_BLOB     struct blob
#define CTYPE_SECRET   struct blob

/* 0, or no program at all if the expression's type is not `type`. */
#define ROW_TYPED(expression, type) \
    (0 * sizeof(char[__builtin_types_compatible_p(__typeof__(expression), type) ? 1 : -1]))
#define ROW_MEMBER(s, m) (((s *)0)->m)

#define ROW(t, n, s, m, json, ...)                                                     \
    {                                                                                  \
        .name = json, .number = n, .type = FIELD_##t,                                  \
        .offset = offsetof(s, m) + ROW_TYPED(ROW_MEMBER(s, m), CTYPE_##t), __VA_ARGS__ \
    }
#define LIST(t, n, s, m, json, ...)                                               \
    {                                                                             \
        .name = json, .number = n, .type = FIELD_##t, .shape = FIELD_LIST,        \
        .offset = offsetof(s, m) + ROW_TYPED(*ROW_MEMBER(s, m).items, CTYPE_##t), \
        .item_size = sizeof(*ROW_MEMBER(s, m).items), __VA_ARGS__                 \
    }
/* A map from names to values of type `t`, a text. With TEMPLATE the names are
 * those of headers; else any text. */
#define MAP(t, n, s, m, json, ...)                                                  \
    {                                                                               \
        .name = json, .number = n, .type = FIELD_##t, .shape = FIELD_MAP,           \
        .offset = offsetof(s, m) + ROW_TYPED(*ROW_MEMBER(s, m).items, struct pair), \
        .item_size = sizeof(struct pair), __VA_ARGS__                               \
    }
#define SECRET_MAP(n, s, m, json, ...)                                                     \
    {                                                                                      \
        .name = json, .number = n, .type = FIELD_SECRET, .shape = FIELD_MAP,               \
        .offset = offsetof(s, m) + ROW_TYPED(*ROW_MEMBER(s, m).items, struct secret_pair), \
        .item_size = sizeof(struct secret_pair), __VA_ARGS__                               \
    }

#define BOOL(...)                     ROW(BOOL, __VA_ARGS__)
#define NUMBER(...)                   ROW(NUMBER, __VA_ARGS__)
#define DURATION(...)                 ROW(DURATION, __VA_ARGS__)
#define SIZE(...)                     ROW(SIZE, __VA_ARGS__)
#define RATE(...)                     ROW(RATE, __VA_ARGS__)
#define SHARE(...)                    ROW(SHARE, __VA_ARGS__)
#define STATUS(...)                   ROW(STATUS, __VA_ARGS__)
#define PORT(...)                     ROW(PORT, __VA_ARGS__)
#define CHOICE(...)                   ROW(CHOICE, __VA_ARGS__)
#define STRING(...)                   ROW(STRING, __VA_ARGS__)
#define HOST(...)                     ROW(HOST, __VA_ARGS__)
#define ADDRESS(...)                  ROW(ADDRESS, __VA_ARGS__)
#define BIND(...)                     ROW(BIND, __VA_ARGS__)
#define URL(...)                      ROW(URL, __VA_ARGS__)
#define REGEX(...)                    ROW(REGEX, __VA_ARGS__)
#define PATH(...)                     ROW(PATH, __VA_ARGS__)
#define TOKEN(...)                    ROW(TOKEN, __VA_ARGS__)
#define HEADER(...)                   ROW(HEADER, __VA_ARGS__)
#define METHOD(...)                   ROW(METHOD, __VA_ARGS__)
#define TEMPLATE(...)                 ROW(TEMPLATE, __VA_ARGS__)
#define BLOB(...)                     ROW(BLOB, __VA_ARGS__)
#define SECRET(...)                   ROW(SECRET, __VA_ARGS__)
#define REF(n, s, m, json, kind, ...) ROW(REF, n, s, m, json, .ref = kind, __VA_ARGS__)
#define REF_LIST(n, s, m, json, kind, ...) \
    LIST(REF, n, s, m, json, .ref = kind, __VA_ARGS__)

#define STRUCT(n, s, m, json, table, ...)                                          \
    {                                                                              \
        .name = json, .number = n, .type = FIELD_STRUCT, .offset = offsetof(s, m), \
        .item_size = sizeof(ROW_MEMBER(s, m)), .schema = &(table), __VA_ARGS__     \
    }
#define SECTION(n, s, m, json, table, ...)                                          \
    {                                                                               \
        .name = json, .number = n, .type = FIELD_SECTION, .offset = offsetof(s, m), \
        .item_size = sizeof(*ROW_MEMBER(s, m)), .schema = &(table), __VA_ARGS__     \
    }
#define STRUCT_LIST(n, s, m, json, table, ...)                                  \
    {                                                                           \
        .name = json, .number = n, .type = FIELD_STRUCT, .shape = FIELD_LIST,   \
        .offset = offsetof(s, m), .item_size = sizeof(*ROW_MEMBER(s, m).items), \
        .schema = &(table), __VA_ARGS__                                         \
    }
#define INLINE(n, s, m, table)                                                       \
    {                                                                                \
        .name = "", .number = n, .type = FIELD_INLINE, .offset = offsetof(s, m),     \
        .item_size = sizeof(ROW_MEMBER(s, m)), .schema = &(table), .honoured = true, \
    }
#define RESERVED(n, json)                                 \
    {                                                     \
        .name = json, .number = n, .type = FIELD_RESERVED \
    }
#define END          \
    {                \
        .name = NULL \
    }

/* What the spine acts on; a field without it is stored, with a warning. */
#define HONOURED .honoured = true

/* A table of this file, and one that others see. */
#define SCHEMA(variable, s, title, ...)          \
    static struct schema_blank variable##_blank; \
    static const struct schema variable = {      \
        .name = title, .size = sizeof(s), .blank = &variable##_blank, __VA_ARGS__}
#define PUBLIC_SCHEMA(variable, s, title, ...)   \
    static struct schema_blank variable##_blank; \
    const struct schema variable = {             \
        .name = title, .size = sizeof(s), .blank = &variable##_blank, __VA_ARGS__}

#endif
