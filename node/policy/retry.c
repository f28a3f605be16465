/* When a call is tried again. Without a retry section: once, after a failed
 * connect or a reset before the response, and idempotent methods only; the
 * budget of the service bounds it (node/balance/retry_budget.h). */
#include "node/policy/policy.h"

#include "model/units.h"

#define IDEMPOTENT                                                                \
    (1u << HTTP_METHOD_GET | 1u << HTTP_METHOD_HEAD | 1u << HTTP_METHOD_OPTIONS | \
     1u << HTTP_METHOD_PUT | 1u << HTTP_METHOD_DELETE | 1u << HTTP_METHOD_TRACE)

static const struct retry_plan built_in = {
    .max = 1,
    .connect_failure = true,
    .reset = true,
    .methods = IDEMPOTENT,
    .backoff_ms = 25,
    .backoff_max_ms = 250,
    .retry_after = true,
    .buffer_bytes = 64 * 1024,
};

static void take_statuses(struct retry_plan *retry, const struct conditions *conditions)
{
    retry->status_5xx = true;
    for (unsigned status = 500; status < 600; status++)
        retry->status_5xx &= conditions_has_status(conditions, status);
    for (unsigned status = 100; status < 600; status++) {
        if (!conditions_has_status(conditions, status))
            continue;
        retry->status_bits[status / 64] |= UINT64_C(1) << status % 64;
        if (status >= 500 && retry->status_5xx)
            continue;
        if (retry->status_count < sizeof retry->statuses / sizeof retry->statuses[0])
            retry->statuses[retry->status_count++] = (uint16_t)status;
    }
}

static enum result compile_retry(struct policy_compile *compile,
                                 const struct effective *effective,
                                 struct policy_set *ret_set, struct error *err)
{
    const struct retry_policy *policy = effective->retry;
    struct retry_plan *retry = &ret_set->retry;

    (void)compile;
    *retry = built_in;
    if (policy == NULL)
        return GW_OK;

    struct conditions conditions = {0};
    for (size_t i = 0; i < policy->when.count; i++)
        if (!conditions_add(&conditions, policy->when.items[i]))
            return error_set(err, GW_INVALID, "unknown condition '%.*s'",
                             SLICE_ARG(policy->when.items[i]));
    retry->max = (uint8_t)(policy->max < 0 ? 0 : policy->max > 10 ? 10 : policy->max);
    retry->per_try_ms = policy->per_try_ms == GW_ABSENT ? 0 : policy_ms(policy->per_try_ms);
    retry->connect_failure = conditions.connect_failure;
    retry->reset = conditions.reset;
    retry->timeout = conditions.timeout;
    take_statuses(retry, &conditions);
    retry->methods = 0;
    for (size_t i = 0; i < policy->methods.count; i++)
        retry->methods |= 1u << http_method_of(policy->methods.items[i]);
    retry->backoff_ms = policy_ms(policy->backoff_ms);
    retry->backoff_max_ms = policy_ms(policy->backoff_max_ms);
    retry->retry_after = policy->retry_after;
    retry->buffer_bytes = policy->buffer_bytes;
    return GW_OK;
}

const struct policy_type policy_retry = {.name = "retry", .compile = compile_retry};
