/* A regular expression, PCRE2, bounded: matching stops at a limit of steps and
 * then counts as no match.
 *
 * Searches anywhere in the subject, as PCRE does; write ^ and $ to bind it.
 * Compiled to machine code where the system allows. Patterns are read-only and
 * may be used by any thread; each thread keeps one block of match data. */
#ifndef GW_NODE_PATTERN_H
#define GW_NODE_PATTERN_H

#include "base/error.h"

#define PATTERN_CAPTURES 10u

struct pattern;

enum result pattern_new(struct slice text, struct pattern **ret_pattern, struct error *err);
void pattern_free(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, struct slice subject);
/* Also gives group 0, the whole, and groups 1 to 9; those that took no part are
 * empty. They borrow the subject. */
bool pattern_captures(const struct pattern *pattern, struct slice subject,
                      struct slice *ret_captures, unsigned *ret_count);

#endif
