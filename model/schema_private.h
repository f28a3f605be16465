/* Between the walkers' files only. */
#ifndef GW_MODEL_SCHEMA_PRIVATE_H
#define GW_MODEL_SCHEMA_PRIVATE_H

#include "model/schema.h"

#define ITEM_LABEL_SIZE 128

/* One field's value, list or map into its slot. */
bool decode_field(struct decode *decode, const struct field *field,
                  const struct value *value, void *slot);
/* "endpoint cart-us-1" of a list's item, or an empty text. */
void item_label(const struct field *field, const void *item, char *label);
/* A scalar into its slot; `value` is a VALUE_SCALAR. */
bool decode_scalar(struct decode *decode, const struct field *field,
                   const struct value *value, void *slot);

/* Where the decoder stands: each push gives what pop takes back to. */
size_t decode_path_push(struct decode *decode, const char *separator, struct slice name);
size_t decode_path_index(struct decode *decode, size_t index);
void decode_path_pop(struct decode *decode, size_t before);
/* "Service/cart endpoint cart-us-1: address" or "Route/x spec.timeout". */
#define WHERE_SIZE 512
void decode_where(const struct decode *decode, char *out, size_t size);
struct problem decode_place(const struct decode *decode, const struct value *value,
                            bool at_key);
/* An error at the value (or its key) at hand, "WHERE: TEXT". Always false. */
bool decode_report(struct decode *decode, const struct value *value, bool at_key,
                   const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* "has no effect yet", of the field or of one word in it, once per kind and path. */
void decode_warn(struct decode *decode, const struct value *value, bool at_key,
                 struct slice word);
/* "did you mean 'NAME'?" in `out`; NULL for NULL. */
const char *decode_suggestion(const char *name, char *out, size_t size);
/* What the field's type wants, "a duration such as ...". */
const char *decode_wanted(const struct field *field);
/* Outside templates "$${" is a literal "${" (RESOURCES.md, Variables). */
struct slice decode_unescape(struct arena *arena, struct slice text);
struct slice decode_lower(struct arena *arena, struct slice text);

/* Whether `word` is one of those in `words`, which stand with space between. */
bool has_word(const char *words, struct slice word);
/* The i-th text of a choice, or NULL. */
const char *choice_text(const struct field *field, int index);
/* A scalar that is no number, bool or choice, in canonical form; into `out`
 * (UNIT_TEXT_SIZE) where it must be printed. */
struct slice scalar_text(const struct field *field, const void *slot, char *out);

#endif
