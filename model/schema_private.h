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
/* Whether `word` is one of those in `words`, which stand with space between. */
bool has_word(const char *words, struct slice word);
/* The i-th text of a choice, or NULL. */
const char *choice_text(const struct field *field, int index);
/* A scalar that is no number, bool or choice, in canonical form; into `out`
 * (UNIT_TEXT_SIZE) where it must be printed. */
struct slice scalar_text(const struct field *field, const void *slot, char *out);

#endif
