/* Each guard alone, then what it is for, on a replica. */
#include "tests/unit/raft/cluster.h"

#include "raft/filter.h"
#include "raft/replica_inner.h"
#include "raft/wire.h"
#include "raft/wire_dump.h"

/* --- A --- */

static void a_partial_resend_does_not_move_the_commit_back(void **state)
{
    struct raft_append_entries args = {
        .prev_log_index = 5, .n_entries = 2, .leader_commit = 20};

    (void)state;
    assert_true(filter_commit(&args, 10)); /* ends at 7, we have 10 */
    assert_int_equal(args.leader_commit, 10);
    args.leader_commit = 20;
    assert_false(filter_commit(&args, 7)); /* ends where we are: no harm */
    assert_int_equal(args.leader_commit, 20);
    args.leader_commit = 3;
    assert_false(filter_commit(&args, 10));
    assert_int_equal(args.leader_commit, 3);
}

/* --- B --- */

static void a_stale_rejection_does_not_undo_a_match(void **state)
{
    struct raft_append_entries_result result = {.rejected = 8, .last_log_index = 4};

    (void)state;
    assert_true(filter_reject(&result, 10)); /* matched up to 10 since */
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, 0);
    result = (struct raft_append_entries_result){.rejected = 20, .last_log_index = 4};
    assert_true(filter_reject(&result, 10));
    assert_int_equal(result.rejected, 20);
    assert_int_equal(result.last_log_index, 10);
    result = (struct raft_append_entries_result){.rejected = 20, .last_log_index = 15};
    assert_false(filter_reject(&result, 10));
    result = (struct raft_append_entries_result){.rejected = 0, .last_log_index = 15};
    assert_false(filter_reject(&result, 20));
}

/* --- C --- */

static void a_dump_is_held_while_any_snapshot_is_put(void **state)
{
    (void)state;
    assert_false(filter_must_hold(0));
    assert_true(filter_must_hold(1));
    assert_true(filter_must_hold(2)); /* a newer put keeps it held when the first ends */
}

/* --- D --- */

static void a_refused_pre_vote_tells_the_higher_term(void **state)
{
    struct raft_request_vote_result result = {.term = 5, .pre_vote = true};

    (void)state;
    assert_true(filter_pre_vote(&result, 9));
    assert_int_equal(result.term, 9);
    result = (struct raft_request_vote_result){
        .term = 5, .pre_vote = true, .vote_granted = true};
    assert_false(filter_pre_vote(&result, 9));
    result = (struct raft_request_vote_result){.term = 5};
    assert_false(filter_pre_vote(&result, 9));
    result = (struct raft_request_vote_result){.term = 10, .pre_vote = true};
    assert_false(filter_pre_vote(&result, 9));
    assert_int_equal(result.term, 10);
}

/* --- E --- */

static void a_heartbeat_never_promises_more_than_matched(void **state)
{
    struct raft_append_entries args;

    (void)state;
    assert_false(filter_heartbeat(&args, 3, 0, 0, 9));
    assert_false(filter_heartbeat(&args, 3, 7, 0, 9)); /* trimmed away */
    assert_true(filter_heartbeat(&args, 3, 7, 2, 9));
    assert_int_equal(args.prev_log_index, 7);
    assert_int_equal(args.prev_log_term, 2);
    assert_int_equal(args.leader_commit, 7);
    assert_int_equal(args.n_entries, 0);
    assert_true(filter_heartbeat(&args, 3, 7, 2, 4));
    assert_int_equal(args.leader_commit, 4);
}

/* Whether all nodes show a write 10 ms after it was proposed to a leader that was idle. */
static bool is_seen_soon(unsigned guards_off)
{
    struct cluster c;
    uint64_t leader;
    bool is_seen = true;

    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++)
        c.nodes[i].guards_off = guards_off;
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    leader = cluster_leader(&c);
    cluster_run(&c, 3000);
    assert_int_equal(propose_put(&c, leader, "route/a", "2"), GW_OK);
    cluster_run(&c, 10);
    for (unsigned i = 1; i <= 3; i++)
        is_seen = is_seen && node_has(&c.nodes[i], "route/a", "2");
    cluster_deinit(&c);
    return is_seen;
}

static void an_idle_follower_stays_in_the_pipeline(void **state)
{
    (void)state;
    assert_true(is_seen_soon(0));
    assert_false(is_seen_soon(GUARD_HEARTBEAT)); /* libraft alone falls back to probing */
}

/* --- F --- */

static void during_a_transfer_a_rejection_is_no_news(void **state)
{
    struct raft_append_entries_result result = {.rejected = 50, .last_log_index = 3};
    bool is_done;

    (void)state;
    assert_true(filter_transfer(&result, 50, &is_done));
    assert_false(is_done);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, 0);
    result = (struct raft_append_entries_result){.last_log_index = 49};
    assert_false(filter_transfer(&result, 50, &is_done));
    assert_false(is_done);
    result.last_log_index = 50;
    filter_transfer(&result, 50, &is_done);
    assert_true(is_done);
}

/* --- G --- */

static void a_change_waits_until_every_voter_has_the_last(void **state)
{
    static const uint64_t matches[] = {10, 7, 12};

    (void)state;
    assert_true(filter_may_change(matches, 3, 7));
    assert_false(filter_may_change(matches, 3, 8));
    assert_true(filter_may_change(matches, 0, 8));
}

static void a_change_is_refused_while_a_voter_lacks_the_last(void **state)
{
    struct cluster c;
    uint64_t leader, lagging;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    cluster_settle(&c);
    leader = cluster_leader(&c);
    lagging = leader % 3 + 1;
    c.nodes[lagging].is_cut = true;
    assert_int_equal(replica_add(c.nodes[leader].replica, 9), GW_OK);
    cluster_run(&c, 200);
    assert_int_equal(view_of(&c.nodes[leader]).server_count, 4);
    assert_int_equal(replica_assign(c.nodes[leader].replica, 9, REPLICA_STANDBY), GW_AGAIN);
    assert_true(replica_counters(c.nodes[leader].replica)->guard_hits[6] > 0);
    c.nodes[lagging].is_cut = false;
    cluster_run(&c, 500);
    assert_int_equal(replica_assign(c.nodes[leader].replica, 9, REPLICA_STANDBY), GW_OK);
    cluster_run(&c, 200);
    assert_int_equal(replica_remove(c.nodes[leader].replica, 9), GW_OK);
    cluster_run(&c, 200);
    assert_int_equal(view_of(&c.nodes[leader]).server_count, 3);
    cluster_deinit(&c);
}

static void the_last_voter_stays(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 1);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    assert_int_equal(replica_remove(c.nodes[1].replica, 1), GW_INVALID);
    assert_int_equal(replica_assign(c.nodes[1].replica, 1, REPLICA_STANDBY), GW_INVALID);
    assert_int_equal(replica_assign(c.nodes[1].replica, 7, REPLICA_VOTER), GW_NOT_FOUND);
    cluster_deinit(&c);
}

/* --- H --- */

static void a_write_is_taken_although_no_peer_can_be_reached(void **state)
{
    struct cluster c;
    uint64_t leader;
    unsigned replies;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    cluster_settle(&c);
    leader = cluster_leader(&c);
    for (uint64_t id = 1; id <= 3; id++)
        if (id != leader)
            replica_link(c.nodes[leader].replica, id, false);
    replies = c.nodes[leader].replies;
    assert_int_equal(propose_put(&c, leader, "route/a", "2"), GW_OK);
    cluster_run(&c, 20);
    assert_int_equal(c.nodes[leader].replies, replies + 1);
    assert_int_equal(c.nodes[leader].last_result, GW_OK);
    cluster_deinit(&c);
}

/* --- I --- */

static void setting_the_same_term_keeps_the_vote(void **state)
{
    (void)state;
    assert_int_equal(filter_vote_after_term(5, 2, 5), 2);
    assert_int_equal(filter_vote_after_term(5, 2, 6), 0);
}

static struct wire_message vote_request(uint64_t from, uint64_t term)
{
    return (struct wire_message){.raft = {.type = RAFT_REQUEST_VOTE,
                                          .request_vote = {.term = term,
                                                           .candidate_id = from,
                                                           .last_log_index = 1,
                                                           .last_log_term = 1}}};
}

static unsigned votes_granted;
static unsigned messages_seen;

static bool count_votes(struct cluster *c, const struct envelope *envelope)
{
    struct wire_message message;

    (void)c;
    messages_seen++;
    assert_true(wire_decode(slice_of(envelope->bytes, envelope->size), &message));
    if (message.raft.type == RAFT_REQUEST_VOTE_RESULT &&
        message.raft.request_vote_result.vote_granted &&
        !message.raft.request_vote_result.pre_vote)
        votes_granted++;
    wire_free(&message);
    return false; /* nobody else hears anything */
}

static void a_vote_is_not_given_twice_not_even_after_a_restart(void **state)
{
    struct cluster c;
    struct wire_message request = vote_request(1, 5);

    (void)state;
    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++)
        node_bootstrap(&c, i, 3);
    node_open(&c, 2);
    c.nodes[1].is_up = c.nodes[3].is_up = false;
    inject(&c, 1, 2, &request);
    cluster_step_stores(&c);
    cluster_step_stores(&c);
    votes_granted = 0;
    list_each (&c.mail, link) {
        count_votes(&c, container_of(link, struct envelope, link));
    }
    assert_int_equal(votes_granted, 1);
    node_close(&c, 2);
    node_open(&c, 2);
    request = vote_request(3, 5);
    inject(&c, 3, 2, &request);
    cluster_step_stores(&c);
    cluster_step_stores(&c);
    votes_granted = 0;
    list_each (&c.mail, link) {
        count_votes(&c, container_of(link, struct envelope, link));
    }
    assert_int_equal(votes_granted, 1); /* the first one still */
    cluster_deinit(&c);
}

/* libraft sets the term again when it repeats a vote, and then the vote again: two jobs,
 * of which the store may have taken only the first when the power goes. The votes that
 * node 2 has given in term 5 after that. */
static unsigned votes_of_a_term_set_again(unsigned guards_off)
{
    struct cluster c;
    struct wire_message request = vote_request(1, 5);

    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    c.nodes[2].guards_off = guards_off;
    node_open(&c, 2);
    inject(&c, 1, 2, &request);
    cluster_step_stores(&c);
    struct raft_io *io = &c.nodes[2].replica->io;
    assert_int_equal(io->set_term(io, 5), 0);
    for (unsigned i = 0; i < 4; i++)
        cluster_step_stores(&c);
    node_close(&c, 2);
    node_open(&c, 2);
    request = vote_request(3, 5);
    inject(&c, 3, 2, &request);
    for (unsigned i = 0; i < 4; i++)
        cluster_step_stores(&c);
    votes_granted = 0;
    list_each (&c.mail, link) {
        count_votes(&c, container_of(link, struct envelope, link));
    }
    cluster_deinit(&c);
    return votes_granted;
}

static void a_term_that_is_set_again_keeps_the_vote_on_the_disk(void **state)
{
    (void)state;
    assert_int_equal(votes_of_a_term_set_again(0), 1);
    assert_int_equal(votes_of_a_term_set_again(GUARD_VOTE_KEPT), 2);
}

/* --- the outbox --- */

static unsigned mail_count(struct cluster *c)
{
    unsigned count = 0;

    list_each (&c->mail, link) {
        count++;
    }
    return count;
}

static void a_vote_leaves_only_once_it_is_durable(void **state)
{
    struct cluster c;
    struct wire_message request = vote_request(1, 5);
    uint64_t next;

    (void)state;
    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    node_open(&c, 2);
    inject(&c, 1, 2, &request);
    assert_int_equal(mail_count(&c), 0);
    store_step(c.nodes[2].store, 0, &next); /* committed, not yet flushed */
    replica_completed(c.nodes[2].replica, c.now_ms);
    assert_int_equal(mail_count(&c), 0);
    store_step(c.nodes[2].store, 0, &next);
    replica_completed(c.nodes[2].replica, c.now_ms);
    assert_int_equal(mail_count(&c), 1);
    node_close(&c, 2);
    c.nodes[2].guards_off = GUARD_OUTBOX;
    node_open(&c, 2);
    request = vote_request(1, 6);
    inject(&c, 1, 2, &request);
    assert_int_equal(mail_count(&c), 2); /* what the gate is for */
    cluster_deinit(&c);
}

/* --- the label --- */

static uint64_t label_index, label_term, dump_index, dump_id;

static bool note_label(struct cluster *c, const struct envelope *envelope)
{
    struct wire_message message;
    struct dump_header header;

    (void)c;
    if (wire_is_dump(slice_of(envelope->bytes, envelope->size))) {
        struct wire_dump piece;

        assert_true(wire_dump_decode(slice_of(envelope->bytes, envelope->size), &piece));
        if (piece.type == WIRE_DUMP_PIECE && piece.number == 0) {
            assert_int_equal(dump_header_parse(piece.bytes, &header), GW_OK);
            dump_index = header.label.index;
            dump_id = piece.id;
        }
        return true;
    }
    assert_true(wire_decode(slice_of(envelope->bytes, envelope->size), &message));
    if (message.raft.type == RAFT_INSTALL_SNAPSHOT) {
        label_index = message.raft.install_snapshot.last_index;
        label_term = message.raft.install_snapshot.last_term;
        assert_int_equal(message.dump, dump_id);
    }
    wire_free(&message);
    return true;
}

static void a_dump_goes_out_under_the_cores_own_label(void **state)
{
    struct cluster c;
    uint64_t leader, lagging;
    char key[32];

    (void)state;
    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++) {
        c.nodes[i].snapshot_threshold = 20;
        c.nodes[i].snapshot_trailing = 5;
    }
    cluster_open(&c);
    assert_int_equal(cluster_put(&c, "route/a", "1"), GW_OK);
    leader = cluster_leader(&c);
    lagging = leader % 3 + 1;
    c.nodes[lagging].is_cut = true;
    for (unsigned i = 0; i < 55; i++) {
        snprintf(key, sizeof key, "route/r%u", i);
        assert_int_equal(cluster_put(&c, key, "x"), GW_OK);
    }
    label_index = dump_index = 0;
    c.inspect = note_label;
    c.nodes[lagging].is_cut = false;
    cluster_settle(&c);
    assert_true(label_index > 0);
    assert_true(dump_index > label_index); /* the state is newer than its label */
    assert_int_equal(label_term, view_of(&c.nodes[leader]).term);
    cluster_deinit(&c);
}

/* --- J --- */

static uint64_t conf_index_after(unsigned guards_off)
{
    struct cluster c;
    struct raft_configuration conf;
    struct raft_entry entries[3];
    struct wire_message message = {.raft = {.type = RAFT_APPEND_ENTRIES,
                                            .append_entries = {.term = 2,
                                                               .prev_log_index = 1,
                                                               .prev_log_term = 1,
                                                               .leader_commit = 4,
                                                               .entries = entries,
                                                               .n_entries = 3}}};
    char barrier[8] = "";
    uint64_t conf_index;

    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    c.nodes[2].guards_off = guards_off;
    node_open(&c, 2);
    raft_configuration_init(&conf);
    for (unsigned i = 1; i <= 4; i++) {
        char address[8];
        snprintf(address, sizeof address, "%u", i);
        assert_int_equal(raft_configuration_add(&conf, i, address, RAFT_VOTER), 0);
    }
    struct slice change = conf_encode(&conf);
    raft_configuration_close(&conf);
    memset(entries, 0, sizeof entries);
    for (unsigned i = 0; i < 3; i++) {
        entries[i].term = 2;
        entries[i].type = i == 1 ? RAFT_CHANGE : RAFT_BARRIER;
        entries[i].buf.base = i == 1 ? (char *)(uintptr_t)change.data : barrier;
        entries[i].buf.len = i == 1 ? change.size : sizeof barrier;
    }
    inject(&c, 1, 2, &message);
    for (unsigned i = 0; i < 6; i++)
        cluster_step_stores(&c);
    struct replica_view view = view_of(&c.nodes[2]);
    assert_int_equal(view.last, 4);
    assert_int_equal(view.commit, 4);
    conf_index = view.conf_index;
    free((void *)(uintptr_t)change.data);
    cluster_deinit(&c);
    return conf_index;
}

static void a_change_within_a_message_is_seen_committed(void **state)
{
    (void)state;
    assert_int_equal(conf_index_after(0), 3);
    /* libraft alone takes it for the entry before, and as never committed. */
    assert_int_equal(conf_index_after(GUARD_CHANGE_FIRST), 2);
}

/* --- K --- */

/* Whether what a function leaves on the stack is what the next one finds there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_STACK_OURS false
#else
#define IS_STACK_OURS true
#endif

/* So that what the library forgets to set is seen, whatever lay there by chance. */
static __attribute__((noinline)) void poison_the_stack(void)
{
    volatile char bytes[16384];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0x1a; /* a number that our own codec takes */
}

/* What node 2, in term 5 with a log of one entry, says of its log to a leader of term 4. */
static uint64_t last_index_told(unsigned guards_off)
{
    struct cluster c;
    struct wire_message heartbeat = {
        .raft = {.type = RAFT_APPEND_ENTRIES, .append_entries = {.term = 5}}};
    struct raft_append_entries_result told = {0};
    struct buffer bytes;

    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    c.nodes[2].guards_off = guards_off | GUARD_STALE; /* which answers before libraft can */
    node_open(&c, 2);
    inject(&c, 1, 2, &heartbeat);
    for (unsigned i = 0; i < 6; i++)
        cluster_step_stores(&c);
    heartbeat.raft.append_entries.term = 4;
    buffer_init(&bytes, 0);
    assert_true(wire_encode(&bytes, &heartbeat));
    poison_the_stack();
    assert_int_equal(replica_receive(c.nodes[2].replica, 3, buffer_slice(&bytes), c.now_ms),
                     GW_OK);
    buffer_deinit(&bytes);
    list_each (&c.mail, link) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        struct wire_message answer;

        if (envelope->from != 2 || envelope->to != 3)
            continue;
        assert_true(wire_decode(slice_of(envelope->bytes, envelope->size), &answer));
        assert_int_equal(answer.raft.type, RAFT_APPEND_ENTRIES_RESULT);
        told = answer.raft.append_entries_result;
        wire_free(&answer);
    }
    assert_int_equal(told.term, 5);
    cluster_deinit(&c);
    return told.last_log_index;
}

static void a_deposed_leader_is_told_nothing_of_our_stack(void **state)
{
    (void)state;
    assert_true(last_index_told(0) <= 1);
    if (IS_STACK_OURS)
        assert_true(last_index_told(GUARD_RESULT) > 1);
}

static void segments_begin_with_changes(void **state)
{
    struct raft_entry entries[6];
    static const int types[] = {RAFT_COMMAND, RAFT_COMMAND, RAFT_CHANGE,
                                RAFT_COMMAND, RAFT_CHANGE,  RAFT_CHANGE};

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        entries[i].type = (enum raft_entry_type)types[i];
    assert_int_equal(filter_segment(entries, 0, 6), 2);
    assert_int_equal(filter_segment(entries, 2, 6), 2);
    assert_int_equal(filter_segment(entries, 4, 6), 1);
    assert_int_equal(filter_segment(entries, 5, 6), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partial_resend_does_not_move_the_commit_back),
        cmocka_unit_test(a_stale_rejection_does_not_undo_a_match),
        cmocka_unit_test(a_dump_is_held_while_any_snapshot_is_put),
        cmocka_unit_test(a_refused_pre_vote_tells_the_higher_term),
        cmocka_unit_test(a_heartbeat_never_promises_more_than_matched),
        cmocka_unit_test(an_idle_follower_stays_in_the_pipeline),
        cmocka_unit_test(during_a_transfer_a_rejection_is_no_news),
        cmocka_unit_test(a_change_waits_until_every_voter_has_the_last),
        cmocka_unit_test(a_change_is_refused_while_a_voter_lacks_the_last),
        cmocka_unit_test(the_last_voter_stays),
        cmocka_unit_test(a_write_is_taken_although_no_peer_can_be_reached),
        cmocka_unit_test(setting_the_same_term_keeps_the_vote),
        cmocka_unit_test(a_vote_is_not_given_twice_not_even_after_a_restart),
        cmocka_unit_test(a_term_that_is_set_again_keeps_the_vote_on_the_disk),
        cmocka_unit_test(a_vote_leaves_only_once_it_is_durable),
        cmocka_unit_test(a_dump_goes_out_under_the_cores_own_label),
        cmocka_unit_test(a_change_within_a_message_is_seen_committed),
        cmocka_unit_test(a_deposed_leader_is_told_nothing_of_our_stack),
        cmocka_unit_test(segments_begin_with_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
