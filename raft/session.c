/* Sessions: two rows each in ENV_SESSIONS,
 *
 *   'c' client               → {sequence, time, result, revision, configuration, detail}
 *   't' time (big) client    → empty
 *
 * the second so that the oldest are found without looking at the others. */
#include "raft/session.h"

#include <stdlib.h>

#define CLIENT_SIZE    16
#define EXPIRE_AT_ONCE 64
#define DETAIL_LIMIT   (1u << 20)

static struct slice client_key(struct slice client, char out[1 + CLIENT_SIZE])
{
    out[0] = 'c';
    memcpy(out + 1, client.data, CLIENT_SIZE);
    return slice_of(out, 1 + CLIENT_SIZE);
}

static struct slice time_key(uint64_t time_ms, struct slice client,
                             char out[9 + CLIENT_SIZE])
{
    out[0] = 't';
    for (unsigned i = 0; i < 8; i++)
        out[1 + i] = (char)(time_ms >> (8 * (7 - i)));
    memcpy(out + 9, client.data, CLIENT_SIZE);
    return slice_of(out, 9 + CLIENT_SIZE);
}

struct session {
    uint64_t sequence, time_ms;
    struct store_answer answer; /* detail borrowed */
};

static enum result session_get(struct txn *txn, struct slice client,
                               struct session *session)
{
    char key[1 + CLIENT_SIZE];
    struct slice value;
    enum result result = txn_get(txn, ENV_SESSIONS, client_key(client, key), &value);
    struct unpack in;

    if (result != GW_OK)
        return result;
    in = unpack_init(value);
    unpack_array(&in, 6);
    session->sequence = unpack_u64(&in);
    session->time_ms = unpack_u64(&in);
    session->answer = (struct store_answer){0};
    session->answer.result = (enum result)unpack_u64_max(&in, GW_RESULT_COUNT - 1);
    session->answer.revision = unpack_u64(&in);
    session->answer.configuration = unpack_bool(&in);
    session->answer.detail = unpack_bytes(&in, DETAIL_LIMIT);
    return unpack_done(&in) ? GW_OK : GW_DAMAGED;
}

static enum result session_drop(struct txn *txn, uint64_t time_ms, struct slice client)
{
    char by_client[1 + CLIENT_SIZE], by_time[9 + CLIENT_SIZE];
    struct slice first = client_key(client, by_client);
    struct slice second = time_key(time_ms, client, by_time);
    enum result result = txn_delete(txn, ENV_SESSIONS, first);

    return result == GW_OK ? txn_delete(txn, ENV_SESSIONS, second) : result;
}

enum result session_expire(struct txn *txn, uint64_t now_ms)
{
    uint64_t rows;
    enum result result = txn_count(txn, ENV_SESSIONS, &rows);

    for (unsigned i = 0; result == GW_OK && i < EXPIRE_AT_ONCE; i++) {
        struct cursor *cursor = NULL;
        char client[CLIENT_SIZE];
        struct slice key;
        uint64_t time_ms = 0;

        result = cursor_open(txn, ENV_SESSIONS, SLICE("t"), &cursor);
        if (result == GW_NOT_FOUND)
            return GW_OK;
        if (result != GW_OK)
            return result;
        key = cursor_key(cursor);
        if (key.size != 9 + CLIENT_SIZE) {
            cursor_close(cursor);
            return GW_DAMAGED;
        }
        for (unsigned k = 0; k < 8; k++)
            time_ms = time_ms << 8 | (unsigned char)key.data[1 + k];
        memcpy(client, key.data + 9, CLIENT_SIZE);
        cursor_close(cursor);
        if (rows / 2 < SESSION_LIMIT && time_ms + SESSION_LIFETIME_MS > now_ms)
            break;
        result = session_drop(txn, time_ms, slice_of(client, CLIENT_SIZE));
        rows -= 2;
    }
    return result;
}

enum result session_is_known(struct txn *txn, struct slice client, bool *ret_is_known)
{
    struct session session;
    enum result result = session_get(txn, client, &session);

    *ret_is_known = result == GW_OK;
    return result == GW_NOT_FOUND ? GW_OK : result;
}

enum result session_check(struct txn *txn, struct slice client, uint64_t sequence,
                          uint64_t now_ms, enum session_verdict *ret_verdict,
                          struct store_answer *answer)
{
    struct session session;
    enum result result = session_get(txn, client, &session);

    /* Too old but not cleared yet is as good as gone: clearing is bounded per
     * entry and must not decide. */
    if (result == GW_OK && session.time_ms + SESSION_LIFETIME_MS <= now_ms)
        result = GW_NOT_FOUND;
    if (result == GW_NOT_FOUND) {
        *ret_verdict = sequence > 1 ? SESSION_EXPIRED : SESSION_RUN;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    if (sequence > session.sequence) {
        *ret_verdict = SESSION_RUN;
    } else if (sequence < session.sequence) {
        *ret_verdict = SESSION_EXPIRED;
    } else {
        struct slice detail = session.answer.detail;
        char *copy = NULL;

        if (detail.size > 0) {
            copy = malloc(detail.size);
            if (copy == NULL)
                return GW_NO_MEMORY;
            memcpy(copy, detail.data, detail.size);
        }
        session.answer.detail = slice_of(copy, detail.size);
        session.answer.configuration = false; /* this entry moves nothing */
        *answer = session.answer;
        *ret_verdict = SESSION_REPEAT;
    }
    return GW_OK;
}

enum result session_record(struct txn *txn, struct slice client, uint64_t sequence,
                           uint64_t now_ms, const struct store_answer *answer)
{
    char by_client[1 + CLIENT_SIZE], by_time[9 + CLIENT_SIZE];
    struct session old;
    struct buffer out;
    enum result result = session_get(txn, client, &old);

    if (result == GW_OK)
        result = session_drop(txn, old.time_ms, client);
    else if (result == GW_NOT_FOUND)
        result = GW_OK;
    if (result != GW_OK)
        return result;
    buffer_init(&out, 0);
    pack_array(&out, 6);
    pack_u64(&out, sequence);
    pack_u64(&out, now_ms);
    pack_u64(&out, (uint64_t)answer->result);
    pack_u64(&out, answer->revision);
    pack_bool(&out, answer->configuration);
    pack_bytes(&out, answer->detail.size <= DETAIL_LIMIT ? answer->detail
                                                         : (struct slice){"", 0});
    result = out.failed ? GW_NO_MEMORY
                        : txn_put(txn, ENV_SESSIONS, client_key(client, by_client),
                                  buffer_slice(&out));
    buffer_deinit(&out);
    if (result == GW_OK)
        result = txn_put(txn, ENV_SESSIONS, time_key(now_ms, client, by_time),
                         (struct slice){"", 0});
    return result;
}
