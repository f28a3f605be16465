/* The keys that every problem document begins with (RFC 9457): type, title, status, code,
 * detail. For whoever writes the rest: model/problem_document.h, and net's HTTP server,
 * which knows of no errors by field. Any thread. */
#ifndef GW_BASE_PROBLEM_HEAD_H
#define GW_BASE_PROBLEM_HEAD_H

#include "base/emit.h"
#include "base/error.h"

/* Within an object that is open. */
void problem_head_emit(struct emit *emit, struct slice title, unsigned status,
                       enum result code, const char *detail);

#endif
