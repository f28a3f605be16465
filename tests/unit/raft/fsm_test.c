/* The state machine: exactly once, preconditions, log time, nodes and tokens. */
#include "tests/unit/store/scratch.h"

#include "raft/fsm.h"
#include "raft/gone.h"
#include "raft/node_record.h"

struct machine {
    struct scratch s;
    struct txn *txn;
    struct fsm fsm;
    uint64_t index;
    struct store_answer answer;
    struct command_detail detail;
    char *bytes;
};

static void m_init(struct machine *m)
{
    memset(m, 0, sizeof *m);
    scratch_init(&m->s);
    scratch_open(&m->s, 1u << 30);
    m->fsm = (struct fsm){cluster_commands, cluster_command_count};
    m->index = 10;
    assert_int_equal(env_begin_write(m->s.env, &m->txn), GW_OK);
}

static void m_deinit(struct machine *m)
{
    free(m->bytes);
    txn_abort(m->txn);
    scratch_deinit(&m->s);
}

/* Applies an encoded command as the next entry; frees it. */
static enum result m_apply(struct machine *m, struct buffer *command)
{
    free(m->bytes);
    m->bytes = NULL;
    assert_false(command->failed);
    assert_int_equal(
        fsm_apply(&m->fsm, m->txn, ++m->index, buffer_slice(command), &m->answer), GW_OK);
    buffer_deinit(command);
    m->bytes = (char *)(uintptr_t)m->answer.detail.data;
    assert_true(command_detail_unpack(m->answer.detail, &m->detail));
    return m->answer.result;
}

static struct record_state m_state(struct machine *m)
{
    struct record_state state;

    assert_int_equal(record_state_get(m->txn, &state), GW_OK);
    return state;
}

#define ANY_REVISION UINT64_MAX

static enum result m_change(struct machine *m, const struct transaction_item *items,
                            size_t count, uint64_t if_revision,
                            const struct command_header *header)
{
    struct buffer command;
    struct transaction transaction = {.conf_sequence = m_state(m).conf_sequence,
                                      .has_if_revision = if_revision != ANY_REVISION,
                                      .if_revision = if_revision,
                                      .items = items,
                                      .item_count = count};

    buffer_init(&command, 0);
    assert_true(transaction_encode(&command, header, &transaction));
    return m_apply(m, &command);
}

static const struct command_header plain = {.stamp_ms = 100, .actor = {"ann", 3}};

static enum result m_put(struct machine *m, const char *key, const char *value)
{
    struct transaction_item item = {.key = slice_from_string(key),
                                    .value = slice_from_string(value)};

    return m_change(m, &item, 1, ANY_REVISION, &plain);
}

static bool m_has(struct machine *m, const char *key, const char *value)
{
    struct record record;

    return record_get(m->txn, slice_from_string(key), &record) == GW_OK &&
           slice_equal(record.value, slice_from_string(value));
}

static void a_transaction_changes_all_or_nothing(void **state)
{
    struct machine m;
    struct transaction_item items[] = {
        {.key = SLICE("route/a"), .value = SLICE("1")},
        {.key = SLICE("route/b"),
         .value = SLICE("2"),
         .has_expected = true,
         .expected_mod_revision = 99},
    };

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, items, 2, ANY_REVISION, &plain), GW_PRECONDITION);
    assert_int_equal(m.detail.key_count, 1);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/b")));
    assert_false(m_has(&m, "route/a", "1"));
    assert_int_equal(m_state(&m).revision, 0);
    items[1].expected_mod_revision = 0; /* must be absent: it is */
    assert_int_equal(m_change(&m, items, 2, ANY_REVISION, &plain), GW_OK);
    assert_true(m_has(&m, "route/a", "1") && m_has(&m, "route/b", "2"));
    assert_int_equal(m_state(&m).revision, m.index);
    assert_true(m.answer.configuration);
    assert_int_equal(m_state(&m).conf_sequence, 1);
    m_deinit(&m);
}

static void a_change_to_what_is_there_already_moves_nothing(void **state)
{
    struct machine m;
    uint64_t revision;

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    revision = m_state(&m).revision;
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_false(m.answer.configuration);
    assert_int_equal(m_state(&m).revision, revision);
    assert_int_equal(m_state(&m).applied, m.index);
    m_deinit(&m);
}

static void a_change_that_extends_another_sequence_is_tried_again(void **state)
{
    struct machine m;
    struct buffer command;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};

    (void)state;
    m_init(&m);
    buffer_init(&command, 0);
    assert_true(transaction_encode(
        &command, &plain,
        &(struct transaction){.conf_sequence = 7, .items = &item, .item_count = 1}));
    assert_int_equal(m_apply(&m, &command), GW_AGAIN);
    assert_false(m_has(&m, "route/a", "1"));
    m_deinit(&m);
}

static void if_revision_fails_for_a_key_changed_or_deleted_since(void **state)
{
    struct machine m;
    uint64_t before;
    struct transaction_item gone = {.key = SLICE("route/b"), .is_delete = true};
    struct transaction_item both[] = {{.key = SLICE("route/a"), .value = SLICE("9")},
                                      {.key = SLICE("route/b"), .value = SLICE("9")}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_int_equal(m_put(&m, "route/b", "1"), GW_OK);
    before = m_state(&m).revision;
    assert_int_equal(m_change(&m, &gone, 1, before, &plain), GW_OK);
    assert_int_equal(m_change(&m, both, 2, before, &plain), GW_CONFLICT);
    assert_int_equal(m.detail.key_count, 1);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/b"))); /* a tombstone counts */
    assert_int_equal(m_put(&m, "route/a", "2"), GW_OK);
    assert_int_equal(m_change(&m, both, 2, before, &plain), GW_CONFLICT);
    assert_int_equal(m.detail.key_count, 2);
    assert_int_equal(m_change(&m, both, 2, m_state(&m).revision, &plain), GW_OK);
    m_deinit(&m);
}

static void if_revision_0_takes_only_what_was_never_there(void **state)
{
    struct machine m;
    struct transaction_item put = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct transaction_item gone = {.key = SLICE("route/a"), .is_delete = true};

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_OK);
    put.value = SLICE("2");
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_CONFLICT);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/a")));
    assert_int_equal(m_change(&m, &gone, 1, ANY_REVISION, &plain), GW_OK);
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_CONFLICT); /* it was */
    put.key = SLICE("route/b");
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_OK);
    m_deinit(&m);
}

static void reserved_and_repeated_keys_are_refused(void **state)
{
    struct machine m;
    struct transaction_item twice[] = {{.key = SLICE("route/a"), .value = SLICE("1")},
                                       {.key = SLICE("route/a"), .is_delete = true}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "_node/1", "x"), GW_INVALID);
    assert_int_equal(m_change(&m, twice, 2, ANY_REVISION, &plain), GW_INVALID);
    m_deinit(&m);
}

static void the_history_says_what_was_there_before(void **state)
{
    struct machine m;
    struct unpack in;
    struct history_header header;
    struct history_item item;
    struct slice packed;
    struct transaction_item changes[] = {{.key = SLICE("route/a"), .value = SLICE("2")},
                                         {.key = SLICE("route/b"), .value = SLICE("new")}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_int_equal(m_change(&m, changes, 2, ANY_REVISION, &plain), GW_OK);
    assert_int_equal(history_get(m.txn, m.index, &packed), GW_OK);
    assert_true(history_entry_open(packed, &in, &header));
    assert_int_equal(header.item_count, 2);
    assert_true(slice_equal(header.actor, SLICE("ann")));
    assert_true(history_entry_next(&in, &item));
    assert_int_equal(item.action, HISTORY_CHANGED);
    assert_true(slice_equal(item.old_value, SLICE("1")));
    assert_int_equal(item.old_mod_revision, m.index - 1);
    assert_true(history_entry_next(&in, &item));
    assert_int_equal(item.action, HISTORY_CREATED);
    assert_true(unpack_done(&in));
    m_deinit(&m);
}

/* --- exactly once --- */

static struct command_header session(const char *client, uint64_t sequence,
                                     uint64_t stamp_ms)
{
    return (struct command_header){
        .client = slice_of(client, 16), .sequence = sequence, .stamp_ms = stamp_ms};
}

static void a_repeated_command_is_answered_and_not_run_again(void **state)
{
    struct machine m;
    struct transaction_item one = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct transaction_item two = {.key = SLICE("route/a"), .value = SLICE("2")};
    struct command_header first = session("client-number-01", 1, 10);
    struct command_header second = session("client-number-01", 2, 10);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &first), GW_OK);
    uint64_t revision = m.answer.revision;
    assert_int_equal(m_change(&m, &two, 1, ANY_REVISION, &second), GW_OK);
    /* A retry of the second, by then with another sequence to extend. */
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &second), GW_OK);
    assert_true(m_has(&m, "route/a", "2"));
    assert_false(m.answer.configuration);
    assert_int_equal(m.answer.revision, revision + 1);
    /* What came before the last is known to be done, but not what it said. */
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &first), GW_SESSION_EXPIRED);
    m_deinit(&m);
}

static void a_refusal_is_remembered_but_try_again_is_not(void **state)
{
    struct machine m;
    struct buffer command;
    struct transaction_item item = {.key = SLICE("route/a"),
                                    .value = SLICE("1"),
                                    .has_expected = true,
                                    .expected_mod_revision = 77};
    struct command_header header = session("client-number-02", 1, 10);

    (void)state;
    m_init(&m);
    buffer_init(&command, 0);
    transaction_encode(
        &command, &header,
        &(struct transaction){.conf_sequence = 5, .items = &item, .item_count = 1});
    assert_int_equal(m_apply(&m, &command), GW_AGAIN);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_PRECONDITION);
    item.has_expected = false;
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_PRECONDITION);
    assert_int_equal(m.detail.key_count, 1); /* with its detail */
    m_deinit(&m);
}

static void an_unknown_session_runs_nothing_but_its_first(void **state)
{
    struct machine m;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct command_header header = session("client-number-03", 2, 10);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_SESSION_EXPIRED);
    assert_false(m_has(&m, "route/a", "1"));
    m_deinit(&m);
}

static void a_session_ends_after_ten_minutes_of_log_time(void **state)
{
    struct machine m;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct command_header first = session("client-number-04", 1, 1000);
    struct command_header early =
        session("client-number-04", 2, 1000 + SESSION_LIFETIME_MS - 1);
    struct command_header late =
        session("client-number-04", 3, 1000 + 2 * SESSION_LIFETIME_MS);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &first), GW_OK);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &early), GW_OK);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &late), GW_SESSION_EXPIRED);
    m_deinit(&m);
}

static void there_are_ten_thousand_sessions_at_most(void **state)
{
    struct machine m;
    struct buffer command;
    char client[17];
    uint64_t rows;

    (void)state;
    m_init(&m);
    for (unsigned i = 0; i < SESSION_LIMIT + 100; i++) {
        snprintf(client, sizeof client, "client-%09u", i);
        struct command_header header = session(client, 1, 1000 + i / 100);
        struct token_record token = {.id = slice_of(client, 16),
                                     .hash =
                                         slice_of("0123456789abcdef0123456789abcdef", 32),
                                     .role = SLICE("auto")};
        buffer_init(&command, 0);
        token_put_encode(&command, &header, &token);
        assert_int_equal(m_apply(&m, &command), GW_OK);
    }
    assert_int_equal(txn_count(m.txn, ENV_SESSIONS, &rows), GW_OK);
    assert_int_equal(rows, 2 * SESSION_LIMIT);
    m_deinit(&m);
}

/* --- log time --- */

static void log_time_never_goes_back(void **state)
{
    struct machine m;
    struct buffer command;

    (void)state;
    m_init(&m);
    static const uint64_t stamps[] = {50, 20, 70, 60}, expected[] = {50, 50, 70, 70};
    for (unsigned i = 0; i < 4; i++) {
        buffer_init(&command, 0);
        tick_encode(&command, &(struct command_header){.stamp_ms = stamps[i]});
        assert_int_equal(m_apply(&m, &command), GW_OK);
        assert_int_equal(m_state(&m).now_ms, expected[i]);
        assert_int_equal(m.answer.now_ms, expected[i]);
    }
    assert_int_equal(m_state(&m).revision, 0);
    m_deinit(&m);
}

static void garbage_is_answered_alike_everywhere(void **state)
{
    struct machine m;
    struct rng rng;
    char bytes[64];

    (void)state;
    m_init(&m);
    rng_init(&rng, 9);
    for (unsigned i = 0; i < 5000; i++) {
        struct buffer command;

        buffer_init(&command, 0);
        size_t size = rng_below(&rng, sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (char)rng_next(&rng);
        if (i % 2 == 0)
            command_begin(&command, &(struct command_header){
                                        .number = 1 + (uint32_t)rng_below(&rng, 8)});
        buffer_append(&command, bytes, size);
        enum result result = m_apply(&m, &command);
        assert_true(result == GW_MALFORMED || (result == GW_OK && size == 0) ||
                    result == GW_NOT_FOUND);
        assert_int_equal(m_state(&m).applied, m.index);
    }
    m_deinit(&m);
}

/* --- nodes and tokens --- */

#define HASH SLICE("0123456789abcdef0123456789abcdef")

static struct node_record node_named(const char *name)
{
    return (struct node_record){.name = slice_from_string(name),
                                .region = SLICE("eu"),
                                .peer = SLICE("127.0.0.1:7000")};
}

static void m_create(struct machine *m, uint64_t uses, uint64_t expires_ms)
{
    struct buffer command;
    struct node_record founder = node_named("eu-1");
    struct token_record token = {.id = SLICE("tok"),
                                 .hash = HASH,
                                 .role = SLICE("auto"),
                                 .expires_ms = expires_ms,
                                 .uses_left = uses};

    founder.id = 1;
    buffer_init(&command, 0);
    cluster_create_encode(
        &command, &plain,
        &(struct cluster_record){.id = SLICE("c1"), .name = SLICE("shop"), .epoch = 1},
        &(struct ca_record){.certificate = SLICE("PEM")}, &founder, &token);
    assert_int_equal(m_apply(m, &command), GW_OK);
}

static enum result m_join(struct machine *m, const char *name, struct slice id,
                          struct slice hash, uint64_t wall_ms)
{
    struct buffer command;
    struct node_record node = node_named(name);
    char peer[80];

    snprintf(peer, sizeof peer, "%s.example:7000", name); /* one of its own */
    node.peer = slice_from_string(peer);
    buffer_init(&command, 0);
    node_join_encode(&command, &(struct command_header){.wall_ms = wall_ms}, id, hash,
                     &node);
    return m_apply(m, &command);
}

static bool m_says(const struct machine *m, const char *text)
{
    return slice_find(m->detail.text, slice_from_string(text)) != SIZE_MAX;
}

static void a_token_lets_in_as_many_as_it_says(void **state)
{
    struct machine m;
    struct record record;
    struct node_record node;
    char key[NODE_KEY_SIZE];

    (void)state;
    m_init(&m);
    m_create(&m, 2, 5000);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    assert_int_equal(m.detail.number, m.index);
    assert_int_equal(record_get(m.txn, node_record_key(m.index, key), &record), GW_OK);
    assert_true(node_record_unpack(record.value, &node));
    assert_int_equal(node.id, m.index);
    assert_true(slice_equal(node.role, SLICE("auto")));
    assert_int_equal(m_join(&m, "eu-3", SLICE("tok"), HASH, 100), GW_OK);
    assert_int_equal(m_join(&m, "eu-4", SLICE("tok"), HASH, 100), GW_UNAUTHORISED);
    assert_true(m_says(&m, "used up"));
    assert_int_equal(m_state(&m).revision, 0); /* nodes are no configuration */
    m_deinit(&m);
}

static void there_is_room_for_so_many_nodes_and_no_more(void **state)
{
    struct machine m;
    char name[16];

    (void)state;
    m_init(&m);
    m_create(&m, NODES_LIMIT + 1, 5000);
    for (int i = 1; i < NODES_LIMIT; i++) { /* and the founder */
        snprintf(name, sizeof name, "node-%d", i);
        assert_int_equal(m_join(&m, name, SLICE("tok"), HASH, 100), GW_OK);
    }
    assert_int_equal(m_join(&m, "one-more", SLICE("tok"), HASH, 100), GW_CONFLICT);
    assert_true(m_says(&m, "32 nodes"));
    m_deinit(&m);
}

static void a_wrong_unknown_expired_or_revoked_token_says_which(void **state)
{
    struct machine m;
    struct buffer command;

    (void)state;
    m_init(&m);
    m_create(&m, 9, 5000);
    assert_int_equal(m_join(&m, "eu-2", SLICE("nope"), HASH, 100), GW_UNAUTHORISED);
    assert_true(m_says(&m, "unknown"));
    assert_int_equal(
        m_join(&m, "eu-2", SLICE("tok"), SLICE("ffffffffffffffffffffffffffffffff"), 100),
        GW_UNAUTHORISED);
    assert_true(m_says(&m, "secret is wrong"));
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 5000), GW_UNAUTHORISED);
    assert_true(m_says(&m, "expired"));
    assert_int_equal(m_join(&m, "eu-1", SLICE("tok"), HASH, 100), GW_CONFLICT);
    assert_true(m_says(&m, "a node named 'eu-1' exists"));
    buffer_init(&command, 0);
    token_delete_encode(&command, &plain, SLICE("tok"));
    assert_int_equal(m_apply(&m, &command), GW_OK);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_UNAUTHORISED);
    assert_true(m_says(&m, "revoked"));
    m_deinit(&m);
}

static void a_name_is_free_again_after_remove(void **state)
{
    struct machine m;
    struct buffer command;
    uint64_t id;

    (void)state;
    m_init(&m);
    m_create(&m, 9, 0);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    id = m.index;
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_CONFLICT);
    buffer_init(&command, 0);
    node_remove_encode(&command, &plain, id);
    assert_int_equal(m_apply(&m, &command), GW_OK);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    assert_true(m.detail.number > id); /* ids are never used again */
    m_deinit(&m);
}

static enum result m_replace(struct machine *m, const char *name, uint64_t old)
{
    struct buffer command;
    struct node_record node = node_named(name);
    char peer[80];

    snprintf(peer, sizeof peer, "%s.example:7000", name);
    node.peer = slice_from_string(peer);
    node.id = old;
    buffer_init(&command, 0);
    node_join_encode(&command, &(struct command_header){.wall_ms = 100}, SLICE("tok"), HASH,
                     &node);
    return m_apply(m, &command);
}

static void a_joiner_takes_the_place_of_the_node_of_its_name(void **state)
{
    struct machine m;
    uint64_t id, other;

    (void)state;
    m_init(&m);
    m_create(&m, 9, 0);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    id = m.index;
    assert_int_equal(m_join(&m, "eu-3", SLICE("tok"), HASH, 100), GW_OK);
    other = m.index;
    /* Only its own: not another's, not one that is not there. */
    assert_int_equal(m_replace(&m, "eu-2", other), GW_CONFLICT);
    assert_int_equal(m_replace(&m, "eu-2", 999), GW_CONFLICT);
    assert_int_equal(m_replace(&m, "eu-2", id), GW_OK);
    assert_true(m.detail.number > other);
    /* The one it was is gone; a second try that names it comes too late. */
    assert_int_equal(m_replace(&m, "eu-2", id), GW_CONFLICT);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_CONFLICT);
    m_deinit(&m);
}

static bool was_there(struct machine *m, const char *name_or_id)
{
    return gone_was(m->txn, slice_from_string(name_or_id));
}

static void who_was_removed_is_remembered_for_a_while(void **state)
{
    struct machine m;
    struct buffer command;
    char name[16], id[24];

    (void)state;
    m_init(&m);
    m_create(&m, 1000, 0);
    for (unsigned i = 0; i <= GONE_LIMIT; i++) {
        snprintf(name, sizeof name, "eu-%u", i + 2);
        assert_int_equal(m_join(&m, name, SLICE("tok"), HASH, 100), GW_OK);
        if (i == 1)
            snprintf(id, sizeof id, "%llu", (unsigned long long)m.index);
        assert_false(was_there(&m, name));
        buffer_init(&command, 0);
        node_remove_encode(&command, &plain, m.index);
        assert_int_equal(m_apply(&m, &command), GW_OK);
        assert_true(was_there(&m, name));
    }
    assert_false(was_there(&m, "eu-2")); /* the oldest gave way */
    assert_true(was_there(&m, "eu-3"));
    assert_true(was_there(&m, id));
    assert_false(was_there(&m, ""));
    m_deinit(&m);
}

static void two_nodes_never_share_a_peer_address(void **state)
{
    struct machine m;
    struct buffer command;
    struct node_record twin = node_named("eu-2"); /* the founder's address */

    (void)state;
    m_init(&m);
    m_create(&m, 2, 5000);
    buffer_init(&command, 0);
    node_join_encode(&command, &(struct command_header){.wall_ms = 100}, SLICE("tok"), HASH,
                     &twin);
    assert_int_equal(m_apply(&m, &command), GW_CONFLICT);
    assert_true(m_says(&m, "that of node 1"));
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    twin.id = m.index;
    buffer_init(&command, 0);
    node_update_encode(&command, &plain, &twin);
    assert_int_equal(m_apply(&m, &command), GW_CONFLICT);
    m_deinit(&m);
}

static void a_node_may_move_but_not_rename_itself(void **state)
{
    struct machine m;
    struct buffer command;
    struct record record;
    struct node_record node = node_named("other"), stored;
    char key[NODE_KEY_SIZE];

    (void)state;
    m_init(&m);
    m_create(&m, 9, 0);
    node.id = 1;
    node.region = SLICE("us");
    node.peer = SLICE("10.0.0.1:7000");
    buffer_init(&command, 0);
    node_update_encode(&command, &plain, &node);
    assert_int_equal(m_apply(&m, &command), GW_OK);
    assert_int_equal(record_get(m.txn, node_record_key(1, key), &record), GW_OK);
    assert_true(node_record_unpack(record.value, &stored));
    assert_true(slice_equal(stored.name, SLICE("eu-1")));
    assert_true(slice_equal(stored.region, SLICE("us")));
    node.id = 99;
    buffer_init(&command, 0);
    node_update_encode(&command, &plain, &node);
    assert_int_equal(m_apply(&m, &command), GW_NOT_FOUND);
    m_deinit(&m);
}

static void an_undefined_region_is_refused_once_any_is_defined(void **state)
{
    struct machine m;

    (void)state;
    m_init(&m);
    m_create(&m, 9, 0);
    assert_int_equal(m_join(&m, "eu-2", SLICE("tok"), HASH, 100), GW_OK);
    assert_int_equal(m_put(&m, "region/us", "x"), GW_OK);
    assert_int_equal(m_join(&m, "eu-3", SLICE("tok"), HASH, 100), GW_INVALID);
    assert_int_equal(m_put(&m, "region/eu", "x"), GW_OK);
    assert_int_equal(m_join(&m, "eu-3", SLICE("tok"), HASH, 100), GW_OK);
    m_deinit(&m);
}

static void ten_thousand_routes_go_in_one_transaction(void **state)
{
    struct machine m;
    struct transaction_item *items = calloc(10000, sizeof *items);
    static char keys[10000][20];

    (void)state;
    m_init(&m);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(keys[i], sizeof keys[i], "route/r%u", i);
        items[i] = (struct transaction_item){.key = slice_from_string(keys[i]),
                                             .value = SLICE("value")};
    }
    assert_int_equal(m_change(&m, items, 10000, ANY_REVISION, &plain), GW_OK);
    assert_true(m_has(&m, "route/r9999", "value"));
    free(items);
    m_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_changes_all_or_nothing),
        cmocka_unit_test(a_change_to_what_is_there_already_moves_nothing),
        cmocka_unit_test(a_change_that_extends_another_sequence_is_tried_again),
        cmocka_unit_test(if_revision_fails_for_a_key_changed_or_deleted_since),
        cmocka_unit_test(if_revision_0_takes_only_what_was_never_there),
        cmocka_unit_test(reserved_and_repeated_keys_are_refused),
        cmocka_unit_test(the_history_says_what_was_there_before),
        cmocka_unit_test(a_repeated_command_is_answered_and_not_run_again),
        cmocka_unit_test(a_refusal_is_remembered_but_try_again_is_not),
        cmocka_unit_test(an_unknown_session_runs_nothing_but_its_first),
        cmocka_unit_test(a_session_ends_after_ten_minutes_of_log_time),
        cmocka_unit_test(there_are_ten_thousand_sessions_at_most),
        cmocka_unit_test(log_time_never_goes_back),
        cmocka_unit_test(garbage_is_answered_alike_everywhere),
        cmocka_unit_test(a_token_lets_in_as_many_as_it_says),
        cmocka_unit_test(there_is_room_for_so_many_nodes_and_no_more),
        cmocka_unit_test(a_wrong_unknown_expired_or_revoked_token_says_which),
        cmocka_unit_test(a_name_is_free_again_after_remove),
        cmocka_unit_test(a_joiner_takes_the_place_of_the_node_of_its_name),
        cmocka_unit_test(who_was_removed_is_remembered_for_a_while),
        cmocka_unit_test(two_nodes_never_share_a_peer_address),
        cmocka_unit_test(a_node_may_move_but_not_rename_itself),
        cmocka_unit_test(an_undefined_region_is_refused_once_any_is_defined),
        cmocka_unit_test(ten_thousand_routes_go_in_one_transaction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
