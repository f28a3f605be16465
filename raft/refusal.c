/* A refusal is an answer like any other: every node gives the same one. */
#include "raft/refusal.h"

#include <stdarg.h>
#include <stdio.h>

enum result command_refuse_keys(struct command_call *call, enum result why,
                                const char *text, struct command_detail *detail)
{
    call->answer->result = why;
    detail->text = slice_from_string(text);
    command_detail_pack(call->detail, detail);
    return GW_OK;
}

enum result command_refuse(struct command_call *call, enum result why, const char *format,
                           ...)
{
    struct command_detail detail = {0};
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return command_refuse_keys(call, why, text, &detail);
}

enum result command_malformed(struct command_call *call)
{
    return command_refuse(call, GW_MALFORMED, "the command does not decode");
}
