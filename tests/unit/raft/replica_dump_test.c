/* A dump on its way between two replicas: windows, losses, links, restarts, leaders. */
#include "tests/unit/raft/cluster.h"

#include "raft/wire_dump.h"

#include <signal.h>
#include <sys/wait.h>

static struct {               /* what the inspector saw, and what it is to do */
    uint64_t late, late_term; /* the term of its last entry */
    unsigned pieces, acks, installs, in_flight_most;
    uint64_t highest, first_again, acked;
    bool is_keeping_install; /* libraft's message does not arrive; the last one is here */
    struct buffer install;
    bool is_cutting_pieces;         /* bulk link torn: pieces are lost */
    uint64_t lose_one;              /* this piece, once; 0: none */
    struct replica_counters before; /* the leader's, when it begins */
    unsigned stop_after;            /* pieces, then all of them are lost; 0: never */
} seen;

static bool watch(struct cluster *c, const struct envelope *envelope)
{
    struct slice bytes = slice_of(envelope->bytes, envelope->size);
    struct wire_dump message;
    struct wire_message raft;

    (void)c;
    if (!wire_is_dump(bytes)) {
        assert_true(wire_decode(bytes, &raft));
        bool is_install = raft.raft.type == RAFT_INSTALL_SNAPSHOT;
        wire_free(&raft);
        if (!is_install)
            return true;
        seen.installs++;
        buffer_reset(&seen.install);
        buffer_append_slice(&seen.install, bytes);
        return !seen.is_keeping_install;
    }
    assert_true(wire_dump_decode(bytes, &message));
    if (message.type == WIRE_DUMP_ACK) {
        seen.acks++;
        if (message.number > seen.acked)
            seen.acked = message.number;
        return true;
    }
    assert_int_equal(envelope->to, seen.late);
    if (seen.stop_after != 0 && seen.pieces >= seen.stop_after)
        seen.is_cutting_pieces = true;
    if (seen.is_cutting_pieces)
        return false;
    if (message.number == seen.lose_one && message.number != 0) {
        seen.lose_one = 0;
        return false;
    }
    if (seen.pieces == 0)
        seen.first_again = message.number;
    seen.pieces++;
    if (message.number > seen.highest)
        seen.highest = message.number;
    if (message.number >= seen.acked &&
        message.number - seen.acked + 1 > seen.in_flight_most)
        seen.in_flight_most = (unsigned)(message.number - seen.acked + 1);
    return true;
}

#define TRAILING 8000 /* bytes of log that are kept, where a test wants that little */
static uint64_t trailing_bytes; /* 0: the product's */
static unsigned all_guards_off;

/* Three nodes, one of them so late that it needs a dump of many pieces. Returns the
 * leader; the late one is still cut off. */
static uint64_t begin(struct cluster *c)
{
    char key[32];
    uint64_t leader;

    buffer_deinit(&seen.install);
    memset(&seen, 0, sizeof seen);
    buffer_init(&seen.install, 0);
    cluster_init(c, 3);
    for (unsigned i = 1; i <= 3; i++) {
        c->nodes[i].snapshot_threshold = 20;
        c->nodes[i].snapshot_trailing = 5;
        c->nodes[i].trailing_bytes = trailing_bytes;
        c->nodes[i].guards_off = all_guards_off;
        c->nodes[i].chunk_bytes = 500;
        c->nodes[i].piece_bytes = 400;
    }
    cluster_open(c);
    assert_int_equal(cluster_put(c, "route/a", "1"), GW_OK);
    leader = cluster_leader(c);
    seen.late = leader % 3 + 1;
    cluster_settle(c);
    seen.late_term = view_of(&c->nodes[leader]).term;
    c->nodes[seen.late].is_cut = true;
    for (unsigned i = 0; i < 120; i++) {
        snprintf(key, sizeof key, "route/r%u", i);
        assert_int_equal(cluster_put(c, key, "a value that is somewhat longer"), GW_OK);
    }
    /* Until it is given up that nobody takes the dump of when it was less late. */
    cluster_run(c, 4000);
    seen.before = *replica_counters(c->nodes[leader].replica);
    c->nodes[leader].dumps_wanted = 0;
    c->inspect = watch;
    return leader;
}

static const struct replica_counters *counters_of(struct cluster *c, uint64_t id)
{
    return replica_counters(c->nodes[id].replica);
}

static void expect_it_came(struct cluster *c)
{
    struct cluster_node *late = &c->nodes[seen.late];

    cluster_settle(c);
    cluster_run(c, 50);
    assert_true(node_has(late, "route/r119", "a value that is somewhat longer"));
    assert_int_equal(counters_of(c, seen.late)->dumps_installed, 1);
    assert_int_equal(cluster_put(c, "route/a", "2"), GW_OK);
    cluster_settle(c);
    assert_true(node_has(late, "route/a", "2"));
}

static void a_dump_goes_in_pieces_within_a_window(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c), term = view_of(&c.nodes[leader]).term;

    (void)state;
    c.nodes[seen.late].is_cut = false;
    expect_it_came(&c);
    assert_true(seen.pieces > 30);
    assert_int_equal(seen.pieces, seen.highest + 1); /* each once */
    assert_int_equal(seen.installs, 1);
    assert_true(seen.in_flight_most > 4 && seen.in_flight_most <= 8);
    assert_int_equal(counters_of(&c, leader)->dump_pieces_sent -
                         seen.before.dump_pieces_sent,
                     seen.pieces);
    assert_int_equal(counters_of(&c, seen.late)->dump_pieces_received, seen.pieces);
    assert_true(counters_of(&c, leader)->dump_bytes_sent - seen.before.dump_bytes_sent >
                10000);
    assert_int_equal(counters_of(&c, leader)->dump_aborts, seen.before.dump_aborts);
    assert_int_equal(view_of(&c.nodes[leader]).term, term);
    cluster_deinit(&c);
}

static void a_lost_piece_comes_again(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);

    (void)state;
    seen.lose_one = 10;
    c.nodes[seen.late].is_cut = false;
    expect_it_came(&c);
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    assert_true(counters_of(&c, leader)->dump_resumes > seen.before.dump_resumes);
    assert_true(seen.pieces <= seen.highest + 1 + 8); /* a window at most is sent twice */
    cluster_deinit(&c);
}

/* Guard F: libraft is impatient, and each time it asks for a dump anew. */
static void without_the_guard_a_lost_piece_costs_more_than_a_dump(void **state)
{
    struct cluster c;
    uint64_t leader;

    (void)state;
    all_guards_off = GUARD_TRANSFER;
    leader = begin(&c);
    all_guards_off = 0;
    seen.lose_one = 10;
    c.nodes[seen.late].is_cut = false;
    cluster_run(&c, 2000);
    assert_true(c.nodes[leader].dumps_wanted > 1);
    cluster_deinit(&c);
}

/* Runs until the receiver has acknowledged some, and the rest is lost. */
static void run_into_a_torn_link(struct cluster *c, unsigned pieces)
{
    seen.stop_after = pieces;
    c->nodes[seen.late].is_cut = false;
    for (unsigned ms = 0; !seen.is_cutting_pieces; ms++) {
        assert_true(ms < 5000);
        cluster_step(c);
    }
    cluster_run(c, 30);
    assert_true(seen.acked >= pieces - 8);
}

static void a_torn_link_goes_on_where_it_was(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c), acked;

    (void)state;
    run_into_a_torn_link(&c, 20);
    replica_link(c.nodes[leader].replica, seen.late, false);
    cluster_run(&c, 1500); /* longer than the silence it takes to send again */
    acked = seen.acked;
    seen.pieces = 0;
    seen.stop_after = 0;
    seen.is_cutting_pieces = false;
    replica_link(c.nodes[leader].replica, seen.late, true);
    expect_it_came(&c);
    assert_int_equal(seen.first_again, acked);
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    assert_int_equal(counters_of(&c, leader)->dump_aborts, seen.before.dump_aborts);
    assert_true(counters_of(&c, leader)->dump_resumes > seen.before.dump_resumes);
    cluster_deinit(&c);
}

static void a_restarted_receiver_goes_on_from_its_disk(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);

    (void)state;
    run_into_a_torn_link(&c, 20);
    node_close(&c, seen.late);
    node_open(&c, seen.late);
    seen.pieces = seen.stop_after = 0;
    seen.is_cutting_pieces = false;
    expect_it_came(&c);
    assert_true(seen.first_again >= 12);
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    cluster_deinit(&c);
}

/* The receiver's disk loses what it acknowledged: it says so, and gets it again. */
static void a_receiver_that_lost_power_gets_what_it_lost(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);
    struct txn *txn;

    (void)state;
    run_into_a_torn_link(&c, 20);
    struct cluster_node *late = &c.nodes[seen.late];
    node_close(&c, seen.late);
    struct error err;
    assert_int_equal(env_open(&(struct env_options){.dir = late->dir,
                                                    .create = true,
                                                    .map_size_bytes = 1u << 28},
                              &late->env, &err),
                     GW_OK);
    assert_int_equal(env_begin_write(late->env, &txn), GW_OK);
    assert_int_equal(txn_clear(txn, ENV_STAGING), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    env_close(late->env);
    node_open(&c, seen.late);
    seen.pieces = seen.stop_after = 0;
    seen.is_cutting_pieces = false;
    expect_it_came(&c);
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    cluster_deinit(&c);
}

static void a_new_leader_sends_a_dump_of_its_own(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c), other;

    (void)state;
    run_into_a_torn_link(&c, 20);
    c.nodes[leader].is_cut = true;
    other = cluster_leader(&c);
    /* Two of three, and one of them needs the dump to vote in what follows. */
    assert_int_not_equal(other, leader);
    seen.stop_after = 0;
    seen.is_cutting_pieces = false;
    cluster_settle(&c);
    cluster_run(&c, 50);
    assert_true(
        node_has(&c.nodes[seen.late], "route/r119", "a value that is somewhat longer"));
    assert_int_equal(c.nodes[other].dumps_wanted, 1);
    assert_int_equal(counters_of(&c, seen.late)->dumps_installed, 1);
    c.nodes[leader].is_cut = false;
    cluster_settle(&c);
    assert_null(c.nodes[leader].dumps[seen.late]); /* it has let go of its own */
    cluster_deinit(&c);
}

static void what_does_not_get_on_is_given_up_and_begun_anew(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);

    (void)state;
    run_into_a_torn_link(&c, 20);
    cluster_run(&c, 4000); /* transfer_ms is 3000 */
    assert_true(counters_of(&c, leader)->dump_aborts > seen.before.dump_aborts);
    /* The state has changed meanwhile, so the next dump is another one. */
    seen.stop_after = 0;
    seen.is_cutting_pieces = false;
    assert_int_equal(cluster_put(&c, "route/b", "1"), GW_OK);
    expect_it_came(&c);
    cluster_deinit(&c);
}

static void writes_go_on_meanwhile_and_one_dump_is_enough(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);
    char key[32];

    (void)state;
    c.nodes[seen.late].is_cut = false;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "route/w%u", i);
        assert_int_equal(cluster_put(&c, key, "x"), GW_OK);
    }
    cluster_settle(&c);
    assert_true(node_has(&c.nodes[seen.late], "route/w299", "x"));
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    cluster_deinit(&c);
}

/* What is kept of the log for a follower that a dump is on its way to has an end. */
static void a_dump_that_takes_for_ever_does_not_keep_the_log_for_ever(void **state)
{
    struct cluster c;
    uint64_t leader, longest = 0;
    char key[32], value[200];

    (void)state;
    trailing_bytes = TRAILING;
    leader = begin(&c);
    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    trailing_bytes = 0;
    /* Each sign of life keeps the transfer going, and it never ends. */
    seen.is_keeping_install = true;
    c.nodes[seen.late].is_cut = false;
    for (unsigned i = 0; i < 250; i++) {
        snprintf(key, sizeof key, "route/w%u", i % 10);
        assert_int_equal(cluster_put(&c, key, value), GW_OK);
        if (view_of(&c.nodes[leader]).log_bytes > longest)
            longest = view_of(&c.nodes[leader]).log_bytes;
    }
    assert_true(longest < 5 * TRAILING);
    seen.is_keeping_install = false;
    cluster_settle(&c);
    assert_true(node_has(&c.nodes[seen.late], "route/w9", value));
    cluster_deinit(&c);
}

static void without_room_it_waits_and_is_not_begun_anew(void **state)
{
    struct cluster c;
    uint64_t leader = begin(&c);
    struct cluster_node *late = &c.nodes[seen.late];

    (void)state;
    node_close(&c, seen.late);
    late->spare_bytes = 1ull << 60;
    node_open(&c, seen.late);
    late->is_cut = false;
    cluster_run(&c, 10000);
    assert_int_equal(counters_of(&c, seen.late)->dumps_installed, 0);
    assert_true(counters_of(&c, seen.late)->dumps_refused >= 2);
    assert_int_equal(c.nodes[leader].dumps_wanted, 1);
    assert_false(store_is_halted(late->store));
    assert_true(node_has(late, "route/a", "1"));
    /* Space returns. */
    node_close(&c, seen.late);
    late->spare_bytes = 0;
    node_open(&c, seen.late);
    expect_it_came(&c);
    cluster_deinit(&c);
}

static void a_stranger_cannot_stage_anything(void **state)
{
    struct cluster c;
    uint64_t leader, other;
    struct wire_dump piece = {.type = WIRE_DUMP_PIECE,
                              .id = 7,
                              .count = 3,
                              .rest_bytes = 3,
                              .index = 1000,
                              .label_term = 1,
                              .bytes = {"abc", 3}};
    struct buffer bytes;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    leader = cluster_leader(&c);
    other = leader % 3 + 1;
    cluster_run(&c, 200);
    piece.term = view_of(&c.nodes[leader]).term;
    buffer_init(&bytes, 0);
    assert_true(wire_dump_encode(&bytes, &piece));
    /* Not the leader: passed over. The leader, with nonsense: the link is closed. */
    uint64_t third = 6 - leader - other;
    assert_int_equal(
        replica_receive(c.nodes[other].replica, third, buffer_slice(&bytes), c.now_ms),
        GW_OK);
    assert_int_equal(
        replica_receive(c.nodes[other].replica, leader, buffer_slice(&bytes), c.now_ms),
        GW_MALFORMED);
    cluster_run(&c, 100);
    assert_int_equal(counters_of(&c, other)->dump_pieces_received, 0);
    bytes.data[bytes.size - 1] ^= 1; /* the sum */
    assert_int_equal(
        replica_receive(c.nodes[other].replica, leader, buffer_slice(&bytes), c.now_ms),
        GW_MALFORMED);
    buffer_deinit(&bytes);
    cluster_deinit(&c);
}

/* --- guard C: libraft's message comes while a snapshot is taken ---
 *
 * By chance this does hardly happen any more, since pieces and snapshots pass through one
 * queue of the store; so here it is made to: the dump is all there, its message is late,
 * and entries bring the receiver to take a snapshot meanwhile. */

static void open_for_guard_c(struct cluster *c, unsigned guards_off)
{
    struct cluster_node *late;
    uint64_t leader = begin(c);

    late = &c->nodes[seen.late];
    seen.is_keeping_install = true;
    late->is_cut = false;
    for (unsigned ms = 0; seen.installs == 0; ms++) {
        assert_true(ms < 5000);
        cluster_step(c);
    }
    node_close(c, seen.late); /* what is staged stays */
    late->snapshot_threshold = 1;
    late->guards_off = guards_off;
    node_open(c, seen.late);
    cluster_run(c, 100);
    assert_int_equal(view_of(late).leader, leader);
}

/* An entry that is committed, so that a snapshot is taken, which the disk takes its time
 * for; then the message. */
static void let_it_in_during_a_take(struct cluster *c)
{
    struct cluster_node *late = &c->nodes[seen.late];
    struct replica_view view = view_of(late);
    char barrier[8] = "";
    struct raft_entry entry = {
        .term = 1, .type = RAFT_BARRIER, .buf = {.base = barrier, .len = sizeof barrier}};
    struct wire_message append = {.raft = {.type = RAFT_APPEND_ENTRIES,
                                           .append_entries = {.term = view.term,
                                                              .prev_log_index = view.last,
                                                              .leader_commit = view.last,
                                                              .entries = &entry,
                                                              .n_entries = 1}}};

    entry.term = append.raft.append_entries.prev_log_term = seen.late_term;
    inject(c, view.leader, seen.late, &append);
    for (unsigned i = 0; i < 6; i++)
        cluster_step_stores(c);
    late->is_stalled = true;
    append.raft.append_entries.prev_log_index++;
    append.raft.append_entries.leader_commit++;
    append.raft.append_entries.n_entries = 0;
    inject(c, view.leader, seen.late, &append); /* applies it, … */
    inject(c, view.leader, seen.late, &append); /* … takes the snapshot */
    assert_int_equal(
        replica_receive(late->replica, view.leader, buffer_slice(&seen.install), c->now_ms),
        GW_OK);
    late->is_stalled = false;
    cluster_run(c, 20);
}

static void a_dump_is_let_in_once_the_snapshot_is_taken(void **state)
{
    struct cluster c;

    (void)state;
    open_for_guard_c(&c, 0);
    uint64_t hits = counters_of(&c, seen.late)->guard_hits[2];
    let_it_in_during_a_take(&c);
    assert_int_equal(counters_of(&c, seen.late)->guard_hits[2], hits + 1);
    seen.is_keeping_install = false;
    expect_it_came(&c);
    cluster_deinit(&c);
}

static void without_the_guard_it_ends_the_process(void **state)
{
    struct cluster c;
    int status;

    (void)state;
    open_for_guard_c(&c, GUARD_HOLD);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        fclose(stderr);
        let_it_in_during_a_take(&c);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    seen.is_keeping_install = false;
    cluster_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_goes_in_pieces_within_a_window),
        cmocka_unit_test(a_lost_piece_comes_again),
        cmocka_unit_test(without_the_guard_a_lost_piece_costs_more_than_a_dump),
        cmocka_unit_test(a_torn_link_goes_on_where_it_was),
        cmocka_unit_test(a_restarted_receiver_goes_on_from_its_disk),
        cmocka_unit_test(a_receiver_that_lost_power_gets_what_it_lost),
        cmocka_unit_test(a_new_leader_sends_a_dump_of_its_own),
        cmocka_unit_test(what_does_not_get_on_is_given_up_and_begun_anew),
        cmocka_unit_test(writes_go_on_meanwhile_and_one_dump_is_enough),
        cmocka_unit_test(a_dump_that_takes_for_ever_does_not_keep_the_log_for_ever),
        cmocka_unit_test(without_room_it_waits_and_is_not_begun_anew),
        cmocka_unit_test(a_stranger_cannot_stage_anything),
        cmocka_unit_test(a_dump_is_let_in_once_the_snapshot_is_taken),
        cmocka_unit_test(without_the_guard_it_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
