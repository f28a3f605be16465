/* The joiner: asks each peer of the token in turn until one answers for good.
 * The same request is repeated, so a lost answer costs nothing: the cluster
 * gives the same id again. */
#include "base/instant.h"
#include "cli/offline/replace.h"
#include "model/wire.h"
#include "net/blocking.h"
#include "pki/seal.h"
#include "pki/token.h"
#include "raft/hello.h"
#include "store/env.h"
#include "store/format.h"
#include "store/meta.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define TRY_MS       5000
#define PAUSE_MS     300
#define DEFAULT_WAIT 10000
#define PEM_MAX      (256u << 10)

struct answer { /* slices borrow the frame */
    bool ok;
    struct slice code, text;
    uint64_t id, epoch;
    struct slice certificate, ca, cluster_key, cluster_id, lineage;
};

static void encode_request(const struct offline_options *options, const struct token *token,
                           struct slice csr, struct buffer *out)
{
    char format[24];
    int format_size =
        snprintf(format, sizeof format, "%llu", (unsigned long long)format_spoken);
    const struct {
        const char *key;
        struct slice value;
    } fields[] = {
        {"token", slice_from_string(token->id)},
        {"secret", slice_of(token->secret, sizeof token->secret)},
        {"csr", csr},
        {"name", slice_from_string(options->name)},
        {"region", slice_from_string(options->region)},
        {"zone", slice_from_string(options->zone)},
        {"peer", slice_from_string(directory_peer(options))},
        {"admin", slice_from_string(directory_admin(options))},
        {"version", SLICE(OFFLINE_VERSION)},
        {"role", slice_from_string(options->role)},
        {"replace", options->replace ? SLICE("yes") : SLICE("")},
        {"format", slice_of(format, (size_t)format_size)},
    };
    size_t count = sizeof fields / sizeof fields[0];

    pack_map(out, count);
    for (size_t i = 0; i < count; i++) {
        pack_text(out, slice_from_string(fields[i].key));
        if (i == 1)
            pack_bytes(out, fields[i].value);
        else
            pack_text(out, fields[i].value);
    }
}

static bool decode_answer(struct slice body, struct answer *answer)
{
    const struct {
        struct slice key;
        struct slice *out;
    } fields[] = {{SLICE("code"), &answer->code},
                  {SLICE("text"), &answer->text},
                  {SLICE("certificate"), &answer->certificate},
                  {SLICE("ca"), &answer->ca},
                  {SLICE("clusterKey"), &answer->cluster_key},
                  {SLICE("clusterId"), &answer->cluster_id},
                  {SLICE("lineage"), &answer->lineage}};
    struct wire wire;
    size_t count;

    memset(answer, 0, sizeof *answer);
    wire_init(&wire, body);
    if (!wire_read_map(&wire, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        bool ok = wire_read_string(&wire, &key), taken = false;
        for (size_t f = 0; ok && f < sizeof fields / sizeof fields[0] && !taken; f++) {
            if (!slice_equal(key, fields[f].key))
                continue;
            ok = wire_read_string(&wire, fields[f].out);
            taken = true;
        }
        if (ok && slice_equal(key, SLICE("ok")))
            ok = wire_read_bool(&wire, &answer->ok);
        else if (ok && slice_equal(key, SLICE("id")))
            ok = wire_read_u64(&wire, &answer->id);
        else if (ok && slice_equal(key, SLICE("epoch")))
            ok = wire_read_u64(&wire, &answer->epoch);
        else if (ok && !taken)
            ok = wire_skip(&wire, NULL);
        if (!ok)
            return false;
    }
    return true;
}

/* One frame there and one back. */
static enum result exchange(struct slice peer, struct tls_context *tls,
                            struct slice request, struct buffer *reply, struct error *err)
{
    const uint64_t deadline_ms = instant_monotonic_ms() + TRY_MS;
    struct blocking *connection = NULL;
    char head[FRAME_HEAD_SIZE];
    size_t wanted = FRAME_HEAD_SIZE;

    if (blocking_connect(peer, tls, NULL, TRY_MS, &connection, err) != GW_OK)
        return err->code;
    *err = ERROR_NONE; /* tries before the one that worked may have left a sentence */
    frame_head(head, PEER_JOIN, (uint32_t)request.size);
    if (blocking_write(connection, slice_of(head, sizeof head), deadline_ms, err) !=
            GW_OK ||
        blocking_write(connection, request, deadline_ms, err) != GW_OK)
        goto out;
    while (reply->size < wanted) {
        char bytes[4096];
        size_t size;
        size_t room =
            wanted - reply->size < sizeof bytes ? wanted - reply->size : sizeof bytes;
        if (blocking_read(connection, bytes, room, deadline_ms, &size, err) != GW_OK)
            goto out;
        if (size == 0) {
            error_set(err, GW_UNREACHABLE, "'%.*s' closed the connection", SLICE_ARG(peer));
            goto out;
        }
        buffer_append(reply, bytes, size);
        if (reply->size == FRAME_HEAD_SIZE && wanted == FRAME_HEAD_SIZE) {
            const unsigned char *h = (const unsigned char *)reply->data;
            uint32_t size_of_body =
                (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | h[3];
            if (h[4] != PEER_JOIN || size_of_body == 0 ||
                size_of_body > peer_limits_join.max[PEER_JOIN]) {
                error_set(err, GW_MALFORMED, "'%.*s' does not speak gw-join",
                          SLICE_ARG(peer));
                goto out;
            }
            wanted += size_of_body;
        }
    }
    buffer_consume(reply, FRAME_HEAD_SIZE);
out:
    blocking_close(connection);
    return err->code;
}

/* Whether another try may go better. */
static bool is_passing(enum result result)
{
    return result == GW_UNREACHABLE || result == GW_TIMEOUT || result == GW_NO_QUORUM ||
           result == GW_NOT_LEADER || result == GW_AGAIN || result == GW_LIMIT ||
           result == GW_UNKNOWN_OUTCOME || result == GW_CLOSED || result == GW_IO;
}

static enum result ask(const struct offline_options *options, const struct token *token,
                       struct tls_context *tls, struct slice request, struct buffer *reply,
                       struct answer *answer, struct error *err)
{
    uint64_t deadline_ms =
        instant_monotonic_ms() + (options->wait_ms != 0 ? options->wait_ms : DEFAULT_WAIT);

    for (;;) {
        for (size_t i = 0; i < token->peer_count; i++) {
            *err = ERROR_NONE;
            buffer_reset(reply);
            enum result result =
                exchange(slice_from_string(token->peers[i]), tls, request, reply, err);
            if (result == GW_OK) {
                if (!decode_answer(buffer_slice(reply), answer))
                    return error_set(err, GW_MALFORMED,
                                     "the answer of '%s' does not decode", token->peers[i]);
                if (answer->ok)
                    return GW_OK;
                result = result_from_word(answer->code);
                error_set(err, result, "%.*s", SLICE_ARG(answer->text));
            }
            if (!is_passing(result))
                return result;
        }
        if (token->peer_count == 0)
            return error_set(err, GW_MALFORMED, "the token names no peer");
        if (instant_monotonic_ms() >= deadline_ms)
            return err->code;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}

static enum result make_store(const struct offline_options *options,
                              const struct offline_made *made,
                              const struct meta_epoch *epoch, struct error *err)
{
    const struct env_options env_options = {.dir = options->data_dir, .create = true};
    char path[DIRECTORY_PATH];
    struct env *env;
    struct txn *txn;

    remove(directory_path(options, "data.mdb", path));
    remove(directory_path(options, "lock.mdb", path));
    if (env_open(&env_options, &env, err) != GW_OK)
        return err->code;
    enum result result = env_begin_write(env, &txn);
    if (result == GW_OK) {
        result = meta_cluster_put(txn, slice_from_string(made->cluster_id));
        if (result == GW_OK)
            result = meta_epoch_put(txn, epoch);
        result = txn_end(txn, result);
    }
    if (result == GW_OK)
        result = env_sync(env);
    if (result != GW_OK)
        error_set(err, result, "write the store: %s", result_text(result));
    env_close(env);
    return err->code;
}

/* gwd.yaml is a person's: one that is there stays when a node is replaced. */
static bool has_settings(const struct offline_options *options)
{
    char path[DIRECTORY_PATH];

    return options->replace && access(directory_path(options, "gwd.yaml", path), F_OK) == 0;
}

static enum result write_all(const struct offline_options *options,
                             const struct token *token, const struct answer *answer,
                             EVP_PKEY *key, const struct replaced *replaced,
                             struct offline_made *made, struct error *err)
{
    struct meta_epoch epoch = {.number = answer->epoch != 0 ? answer->epoch : 1};
    X509 *ca = NULL, *certificate = NULL;
    uint8_t hash[CERTIFICATE_SHA256_SIZE];
    struct seal_key cluster_key;
    char path[DIRECTORY_PATH];

    made->node_id = answer->id;
    snprintf(made->cluster_id, sizeof made->cluster_id, "%.*s",
             SLICE_ARG(answer->cluster_id));
    snprintf(made->name, sizeof made->name, "%.63s", options->name);
    if (!identity_is_cluster_id(answer->cluster_id) || answer->id == 0 ||
        answer->cluster_key.size != sizeof cluster_key.bytes ||
        answer->lineage.size >= sizeof epoch.lineage)
        return error_set(err, GW_MALFORMED, "the cluster's answer is not whole");
    snprintf(epoch.lineage, sizeof epoch.lineage, "%.*s", SLICE_ARG(answer->lineage));
    memcpy(cluster_key.bytes, answer->cluster_key.data, sizeof cluster_key.bytes);
    if (certificate_from_pem(answer->ca, &ca, err) != GW_OK ||
        certificate_from_pem(answer->certificate, &certificate, err) != GW_OK)
        goto out;
    certificate_sha256(ca, hash);
    if (memcmp(hash, token->ca_sha256, sizeof hash) != 0 ||
        !certificate_key_matches(certificate, key)) {
        error_set(err, GW_UNAUTHORISED, "the cluster's CA is not the one the token names");
        goto out;
    }
    if (replaced->is_there && replaced_put_aside(options->data_dir, replaced, err) != GW_OK)
        goto out;
    if (make_store(options, made, &epoch, err) == GW_OK &&
        seal_key_write(directory_path(options, "cluster.key", path), &cluster_key, err) ==
            GW_OK &&
        directory_write(options, "ca.pem", answer->ca, 0644, err) == GW_OK &&
        directory_write(options, "node.pem", answer->certificate, 0644, err) == GW_OK &&
        directory_write_key(options, "node.key", key, err) == GW_OK &&
        (has_settings(options) || directory_write_settings(options, err) == GW_OK))
        directory_write_identity(options, made, err);
out:
    seal_key_wipe(&cluster_key);
    certificate_free(ca);
    certificate_free(certificate);
    return err->code;
}

enum result offline_join(const struct offline_options *given, struct offline_made *ret_made,
                         struct error *err)
{
    struct offline_options filled = *given;
    const struct offline_options *options = &filled;
    struct replaced replaced = {0};
    struct offline_made made;
    struct token token;
    struct tls_context *tls = NULL;
    struct buffer csr, request, reply;
    struct answer answer;
    EVP_PKEY *key = NULL;
    bool was_there;

    memset(&made, 0, sizeof made);
    memset(&token, 0, sizeof token);
    *err = ERROR_NONE;
    if (given->replace && given->data_dir != NULL) {
        if (replaced_read(given->data_dir, &replaced, err) != GW_OK)
            return err->code;
        replaced_fill(&replaced, &filled);
    }
    if (directory_open(options, &made, &was_there, err) != GW_OK)
        return err->code;
    if (was_there) {
        *ret_made = made;
        return GW_OK;
    }
    buffer_init(&csr, PEM_MAX);
    buffer_init(&request, PEM_MAX);
    buffer_init(&reply, 1u << 20);
    if (token_parse(options->token, &token, err) == GW_OK &&
        key_generate(&key, err) == GW_OK &&
        certificate_request_make(key, slice_from_string(options->name), &csr, err) ==
            GW_OK &&
        tls_context_join_client(token.ca_sha256, &tls, err) == GW_OK) {
        encode_request(options, &token, buffer_slice(&csr), &request);
        if (ask(options, &token, tls, buffer_slice(&request), &reply, &answer, err) ==
                GW_OK &&
            write_all(options, &token, &answer, key, &replaced, &made, err) == GW_OK)
            *ret_made = made;
    }
    tls_context_unref(tls);
    key_free(key);
    token_wipe(&token);
    buffer_deinit(&csr);
    key_buffer_wipe(&request);
    key_buffer_wipe(&reply);
    return err->code == GW_OK ? GW_OK : error_wrap(err, "join the cluster");
}
