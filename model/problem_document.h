/* What went wrong, as application/problem+json (RFC 9457): every key always present.
 * gwd answers with it, gwctl prints it under -o json. Any thread. */
#ifndef GW_MODEL_PROBLEM_DOCUMENT_H
#define GW_MODEL_PROBLEM_DOCUMENT_H

#include "base/buffer.h"
#include "base/error.h"
#include "model/problems.h"

struct problem_extra {
    const struct problems *problems; /* NULL: no errors */
    uint64_t revision;               /* 0: null */
    const struct slice *changed;     /* keys, of a conflict */
    size_t changed_count;
};

/* Appends the document; returns its HTTP status. `extra` may be NULL. */
unsigned problem_write(struct buffer *out, const struct error *err,
                       const struct problem_extra *extra);

#endif
