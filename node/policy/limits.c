/* Bounds of a call: its whole time, its silence, its body. */
#include "node/policy/policy.h"

static enum result compile_limits(struct policy_compile *compile,
                                  const struct effective *effective,
                                  struct policy_set *ret_set, struct error *err)
{
    (void)compile;
    (void)err;
    ret_set->timeout_ms = policy_ms(effective->timeout_ms);
    ret_set->idle_ms = policy_ms(effective->idle_ms);
    ret_set->body_bytes = effective->body_bytes;
    return GW_OK;
}

const struct policy_type policy_limits = {.name = "limits", .compile = compile_limits};
