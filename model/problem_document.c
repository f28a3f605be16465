/* The list of results in base/error.h decides status, code and title; only the
 * sentence and the lists are this call's. */
#include "model/problem_document.h"

#include "base/problem_head.h"

#include <stdio.h>

unsigned problem_write(struct buffer *out, const struct error *err,
                       const struct problem_extra *extra)
{
    enum result code = err->code == GW_OK ? GW_FAILED : err->code;
    unsigned status = (unsigned)result_http_status(code);
    struct emit emit;
    char title[64];

    /* "Not found" of "not found". */
    snprintf(title, sizeof title, "%s", result_text(code));
    if (title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
    emit_init(&emit, out, false);
    emit_object(&emit);
    problem_head_emit(&emit, slice_from_string(title), status, code,
                      err->text[0] != '\0' ? err->text : result_text(code));
    emit_key(&emit, "errors");
    if (extra != NULL && extra->problems != NULL) {
        problems_emit(extra->problems, &emit, false);
    } else {
        emit_array(&emit);
        emit_array_end(&emit);
    }
    emit_key(&emit, "revision");
    if (extra != NULL && extra->revision != 0)
        emit_u64_string(&emit, extra->revision);
    else
        emit_null(&emit);
    emit_key(&emit, "changed");
    emit_array(&emit);
    for (size_t i = 0; extra != NULL && i < extra->changed_count; i++)
        emit_string(&emit, extra->changed[i]);
    emit_array_end(&emit);
    emit_object_end(&emit);
    return status;
}
