#include "raft/joining.h"

#include "store/records.h"

#define TEXT(n)       #n
#define TEXT_OF(n)    TEXT(n)
#define NODES_AT_MOST TEXT_OF(NODES_LIMIT)

static const char *token_refusal(const struct token_record *token,
                                 const struct joining_wish *wish)
{
    if (!slice_equal(token->hash, wish->hash))
        return "the token's secret is wrong; copy it again";
    if (token->revoked)
        return "the token was revoked; run gwctl cluster token create";
    if (token->expires_ms != 0 && wish->wall_ms >= token->expires_ms)
        return "the token has expired; run gwctl cluster token create";
    if (token->uses_left == 0)
        return "the token was used up; run gwctl cluster token create";
    return NULL;
}

enum result joining_check(struct txn *txn, const struct joining_wish *wish,
                          struct token_record *ret_token, enum result *ret_code,
                          const char **ret_why)
{
    char key[TOKEN_ID_LIMIT + 8];
    struct record record;
    size_t nodes = 0;
    enum result result = record_get(txn, token_record_key(wish->token, key), &record);

    *ret_code = GW_UNAUTHORISED;
    *ret_why = "the token is unknown to this cluster; run gwctl cluster token create";
    if (result == GW_NOT_FOUND)
        return GW_OK;
    if (result != GW_OK)
        return result;
    if (!token_record_unpack(record.value, ret_token))
        return GW_DAMAGED;
    *ret_why = token_refusal(ret_token, wish);
    if (*ret_why != NULL)
        return GW_OK;
    result = record_count(txn, NODE_PREFIX, &nodes);
    if (result != GW_OK)
        return result;
    *ret_code = GW_OK;
    if (nodes - wish->replaces >= NODES_LIMIT) {
        *ret_code = GW_CONFLICT;
        *ret_why = "the cluster has " NODES_AT_MOST
                   " nodes, the most there can be; run gwctl cluster remove";
    }
    return GW_OK;
}
