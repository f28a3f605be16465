/* The names of per-request variables in templates: ${region}, ${header.NAME}.
 *
 * Only what a template may say stands here; the proxy expands them. */
#ifndef GW_MODEL_VARIABLES_H
#define GW_MODEL_VARIABLES_H

#include "base/slice.h"

/* Next piece of a template: a literal, or a variable's name without braces.
 * "$${" gives the literal "${". False at the end. An unclosed "${" is a
 * variable with an empty name. */
bool variables_next(struct slice *rest, struct slice *ret_piece, bool *ret_is_variable);
/* Whether there is such a variable; *ret_honoured: whether it has a value yet. */
bool variable_is_known(struct slice name, bool *ret_honoured);
/* The nearest name, or NULL. */
const char *variable_suggest(struct slice name);

#endif
