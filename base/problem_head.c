#include "base/problem_head.h"

#include <stdio.h>

void problem_head_emit(struct emit *emit, struct slice title, unsigned status,
                       enum result code, const char *detail)
{
    char type[64];

    snprintf(type, sizeof type, "urn:quorumgate:%s", result_word(code));
    emit_key(emit, "type");
    emit_cstring(emit, type);
    emit_key(emit, "title");
    emit_string(emit, title);
    emit_key(emit, "status");
    emit_u64(emit, status);
    emit_key(emit, "code");
    emit_cstring(emit, result_word(code));
    emit_key(emit, "detail");
    emit_cstring(emit, detail);
}
