/* The files that gwctl was given: their texts and the objects in them, so that
 * every problem, a server's too, gets its file, line and column.
 *
 * Owns the texts' copies and all trees. One thread. */
#ifndef GW_MODEL_SOURCE_H
#define GW_MODEL_SOURCE_H

#include "model/change.h"
#include "model/environment.h"

struct source_object {
    struct slice file;
    struct value *root;
    enum kind kind;    /* KIND_NONE: not known */
    struct slice name; /* empty: not known */
};

struct source_file {
    struct slice name, text;
};

struct source {
    struct arena arena;
    struct source_file *files;
    size_t file_count, file_capacity;
    struct source_object *objects; /* their index is the `objects[N]` of a change */
    size_t object_count, object_capacity;
};

void source_init(struct source *source);
void source_deinit(struct source *source);
/* Reads the documents of one file (copied). Problems are reported. */
bool source_add(struct source *source, struct slice file, struct slice text,
                struct problems *problems);
/* Replaces ${GW_NAME} in all objects. */
bool source_substitute(struct source *source, const struct environment *environment,
                       struct problems *problems);

/* Reads {file: P} and {env: N} of content fields into {inline: ...}. `read` gives
 * the bytes of a path relative to `file`, in `arena`; false with a sentence. */
typedef bool (*source_read_fn)(void *context, struct arena *arena, struct slice file,
                               struct slice path, struct slice *ret_content,
                               struct error *err);
bool source_load_content(struct source *source, source_read_fn read, void *context,
                         const struct environment *environment, struct problems *problems);

/* Decodes every object into `change`. False if there was an error. */
bool source_decode(struct source *source, struct change *change, struct problems *problems);
/* The body of POST /v1/apply, without deletes: {"objects": [...]} is left open
 * after the list, so that the caller may add members before the end. */
void source_emit_objects(struct emit *emit, const struct source *source);
/* Gives file, line, column and width to problems that have an item or an object
 * but no line yet, and puts them in order of place. */
void source_locate(const struct source *source, struct problems *problems);
/* Problems with their source lines, and "2 errors; nothing applied" if any. */
void source_print(const struct source *source, const struct problems *problems,
                  struct buffer *out);

#endif
