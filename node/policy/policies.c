/* The list of policies: the only place that knows them all. */
#include "node/policy/policy.h"

const struct policy_type *const policy_list[] = {
    &policy_limits, &policy_retry, &policy_headers, &policy_cors, &policy_compress, NULL,
};

enum result policies_compile(struct policy_compile *compile,
                             const struct effective *effective, struct policy_set *ret_set,
                             struct error *err)
{
    *ret_set = (struct policy_set){0};
    for (unsigned i = 0; policy_list[i] != NULL; i++) {
        enum result result = policy_list[i]->compile(compile, effective, ret_set, err);
        if (result != GW_OK)
            return error_wrap(err, "%s", policy_list[i]->name);
    }
    return GW_OK;
}
