/* What differs between two resources, for people: a line per field,
 *   spec.timeout: 2s -> 800ms
 *   + spec.retry: {"max": 2}
 *   - metadata.labels.team: apps                                            */
#ifndef GW_MODEL_DIFF_H
#define GW_MODEL_DIFF_H

#include "model/resource.h"

/* Either may be NULL. Two spaces of indent. The number of lines. */
size_t diff_print(struct buffer *out, const struct resource *before,
                  const struct resource *after);

#endif
