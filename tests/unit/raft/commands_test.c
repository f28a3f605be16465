/* Nodes and tokens: who is let in, under which name, and what is remembered. */
#include "tests/unit/raft/machine.h"

#include "raft/gone.h"
#include "raft/node_record.h"

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

/* An admin changes its role while it tells where it stands: each says nothing of what is
 * the other's. */
static void a_role_and_a_place_told_at_once_both_hold(void **state)
{
    struct machine m;
    struct buffer command;
    struct record record;
    struct node_record role = node_named("eu-1"), place = role, stored;
    char key[NODE_KEY_SIZE];

    (void)state;
    m_init(&m);
    m_create(&m, 9, 0);
    role.id = place.id = 1;
    role.role = SLICE("standby");
    role.region = (struct slice){NULL, 0};
    place.role = (struct slice){NULL, 0};
    place.region = SLICE("us");
    const struct node_record *told[] = {&role, &place, &role};
    for (size_t i = 0; i < 3; i++) {
        buffer_init(&command, 0);
        assert_true(node_update_encode(&command, &plain, told[i]));
        assert_int_equal(m_apply(&m, &command), GW_OK);
    }
    assert_int_equal(record_get(m.txn, node_record_key(1, key), &record), GW_OK);
    assert_true(node_record_unpack(record.value, &stored));
    assert_true(slice_equal(stored.role, SLICE("standby")));
    assert_true(slice_equal(stored.region, SLICE("us")));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_lets_in_as_many_as_it_says),
        cmocka_unit_test(there_is_room_for_so_many_nodes_and_no_more),
        cmocka_unit_test(a_wrong_unknown_expired_or_revoked_token_says_which),
        cmocka_unit_test(a_name_is_free_again_after_remove),
        cmocka_unit_test(a_joiner_takes_the_place_of_the_node_of_its_name),
        cmocka_unit_test(who_was_removed_is_remembered_for_a_while),
        cmocka_unit_test(two_nodes_never_share_a_peer_address),
        cmocka_unit_test(a_node_may_move_but_not_rename_itself),
        cmocka_unit_test(a_role_and_a_place_told_at_once_both_hold),
        cmocka_unit_test(an_undefined_region_is_refused_once_any_is_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
