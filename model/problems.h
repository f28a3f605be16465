/* What is wrong with a text or a change: errors and warnings with the place,
 * all of them, up to a limit. Owns copies of everything. One thread. */
#ifndef GW_MODEL_PROBLEMS_H
#define GW_MODEL_PROBLEMS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/emit.h"
#include "base/table.h"

#define PROBLEMS_MAX 1000
#define WARNINGS_MAX 100

struct value;

struct problem {
    struct slice file;     /* empty: unknown */
    uint32_t line, column; /* from 1; 0: unknown */
    uint32_t width;        /* columns to underline; 0: 1 */
    struct slice object;   /* "Route/catalog", or empty */
    struct slice path;     /* "spec.endpoints[2].region", or empty */
    struct slice code;     /* "unknown_field" */
    struct slice message;  /* "unknown field 'timeot' in Route/catalog spec" */
    struct slice hint;     /* "did you mean 'timeout'?", or empty */
    int32_t item;          /* 1 + index among a change's `objects`; 0: none */
    bool is_warning;
};

struct problems {
    struct arena arena;
    struct problem *items;
    size_t count, capacity;
    size_t errors, warnings; /* all, those dropped too */
    struct table seen;       /* of warnings given once per path */
};

void problems_init(struct problems *problems);
void problems_deinit(struct problems *problems);

/* Adds an error (or a warning if `place->is_warning`) at `place`, whose file,
 * line, column, width, object, path, hint and item are taken over (may be NULL). */
void problems_add(struct problems *problems, const struct problem *place, const char *code,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A warning, once per `key`. */
void problems_warn_once(struct problems *problems, const struct problem *place,
                        struct slice key, const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static inline bool problems_failed(const struct problems *problems)
{
    return problems->errors != 0;
}

/* As compilers do, then the source line with the place underlined, where
 * `text` gives a file's text (may be NULL):
 *   gateway.yaml:113:3: error: unknown field 'timeot' in ... (did you mean 'timeout'?)
 *     113 |   timeot: 800ms
 *         |   ^~~~~~
 * Ends with "N more" lines where the limits were hit, but no summary. */
typedef struct slice (*problems_text_fn)(void *context, struct slice file);
void problems_print(const struct problems *problems, struct buffer *out,
                    problems_text_fn text, void *context);
/* The array of a problem document's `errors`, or of an answer's `warnings`.
 * A path begins "objects[3]." where the object's place in a change is known. */
void problems_emit(const struct problems *problems, struct emit *emit, bool warnings);
/* Takes in what problems_emit wrote. */
void problems_read(struct problems *problems, const struct value *list, bool warnings);
/* The first error in one line, for a log or a problem's `detail`. */
struct slice problems_first(const struct problems *problems);

#endif
