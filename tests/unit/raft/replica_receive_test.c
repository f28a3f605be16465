/* Messages that come late: of an older term (guard L), about entries that the log has
 * trimmed (guard N), and once more. */
#include "tests/unit/raft/cluster.h"

#include "raft/filter.h"

#include <signal.h>
#include <sys/wait.h>

/* The last answer that node 2 has sent to node `to`. */
static struct raft_append_entries_result answer_to(struct cluster *c, uint64_t to)
{
    struct raft_append_entries_result result = {.rejected = UINT64_MAX};

    for (unsigned i = 0; i < 6; i++)
        cluster_step_stores(c);
    list_each (&c->mail, link) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        struct wire_message message;

        if (envelope->from != 2 || envelope->to != to)
            continue;
        assert_true(wire_decode(slice_of(envelope->bytes, envelope->size), &message));
        if (message.raft.type == RAFT_APPEND_ENTRIES_RESULT)
            result = message.raft.append_entries_result;
        wire_free(&message);
    }
    assert_true(result.rejected != UINT64_MAX);
    return result;
}

/* --- L --- */

static __attribute__((noinline)) void leave_ones_on_the_stack(void)
{
    volatile uint64_t words[2048];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = 1;
}

/* What node 2, in term 5 with a log of one entry, tells node 3 that still leads term 4. */
static struct raft_append_entries_result answer_of_term_5(const struct wire_message *late,
                                                          unsigned guards_off)
{
    struct cluster c;
    struct buffer bytes;
    const struct wire_message heartbeat = {
        .raft = {.type = RAFT_APPEND_ENTRIES, .append_entries = {.term = 5}}};

    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    c.nodes[2].guards_off = guards_off;
    node_open(&c, 2);
    inject(&c, 1, 2, &heartbeat);
    for (unsigned i = 0; i < 6; i++)
        cluster_step_stores(&c);
    buffer_init(&bytes, 0);
    assert_true(wire_encode(&bytes, late));
    leave_ones_on_the_stack();
    assert_int_equal(replica_receive(c.nodes[2].replica, 3, buffer_slice(&bytes), c.now_ms),
                     GW_OK);
    buffer_deinit(&bytes);
    struct raft_append_entries_result result = answer_to(&c, 3);
    assert_int_equal(view_of(&c.nodes[2]).last, 1);
    cluster_deinit(&c);
    return result;
}

static void an_append_of_an_older_term_is_told_the_term_alone(void **state)
{
    char barrier[8] = "";
    struct raft_entry entry = {
        .term = 4, .type = RAFT_BARRIER, .buf = {.base = barrier, .len = sizeof barrier}};
    struct wire_message late = {
        .raft = {.type = RAFT_APPEND_ENTRIES,
                 .append_entries = {.term = 4, .entries = &entry, .n_entries = 1}}};

    (void)state;
    /* Behind 0, which libraft would take; and behind an entry. */
    for (unsigned prev = 0; prev <= 1; prev++) {
        late.raft.append_entries.prev_log_index = prev;
        late.raft.append_entries.prev_log_term = prev;
        struct raft_append_entries_result result = answer_of_term_5(&late, 0);
        assert_int_equal(result.term, 5);
        assert_int_equal(result.rejected, 0);
        assert_int_equal(result.last_log_index, 0);
    }
    /* libraft alone calls it a rejection of what came before. */
    assert_int_equal(answer_of_term_5(&late, GUARD_STALE).rejected, 1);
}

static void a_dump_of_an_older_term_is_told_the_term_alone(void **state)
{
    struct wire_message late = {.raft.type = RAFT_INSTALL_SNAPSHOT, .dump = 7};
    struct raft_install_snapshot *args = &late.raft.install_snapshot;

    (void)state;
    args->term = 4;
    args->last_index = 9;
    args->last_term = 4;
    args->conf_index = 1;
    raft_configuration_init(&args->conf);
    assert_int_equal(raft_configuration_add(&args->conf, 1, "1", RAFT_VOTER), 0);
    struct raft_append_entries_result result = answer_of_term_5(&late, 0);
    assert_int_equal(result.term, 5);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, 0);
    raft_configuration_close(&args->conf);
}

/* --- N --- */

static void entries_that_are_covered_are_counted(void **state)
{
    struct raft_append_entries args = {
        .prev_log_index = 3, .prev_log_term = 1, .n_entries = 4};
    unsigned skip;

    (void)state;
    assert_false(filter_covered(&args, 5, 2, true, &skip)); /* our log knows prev */
    assert_false(filter_covered(&args, 3, 2, false, &skip));
    assert_false(filter_covered(&args, 5, 0, false, &skip)); /* a dump is being installed */
    assert_true(filter_covered(&args, 5, 2, false, &skip));
    assert_int_equal(skip, 2);
    assert_int_equal(args.prev_log_index, 5);
    assert_int_equal(args.prev_log_term, 2);
    args = (struct raft_append_entries){.prev_log_index = 0, .n_entries = 4};
    assert_true(filter_covered(&args, 9, 2, false, &skip)); /* all of them */
    assert_int_equal(skip, 4);
    assert_int_equal(args.prev_log_index, 9);
}

/* Node 2 of three whose log begins behind what it applied. */
static void open_trimmed(struct cluster *c)
{
    char key[32];

    cluster_init(c, 3);
    c->nodes[2].snapshot_threshold = 20;
    c->nodes[2].snapshot_trailing = 1;
    cluster_open(c);
    for (unsigned i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "route/r%u", i);
        assert_int_equal(cluster_put(c, key, "x"), GW_OK);
    }
    cluster_settle(c);
    for (unsigned i = 1; i <= 3; i++)
        c->nodes[i].is_cut = i != 2;
}

/* All entries of node 1's log that it can give, from the first, as node 3 sends them that
 * leads the next term and thinks that we have nothing. */
static void give_all(struct cluster *c, uint64_t upto, uint64_t leader_commit)
{
    struct raft_entry entries[128];
    struct wire_message append = {.raft = {.type = RAFT_APPEND_ENTRIES}};
    struct raft_append_entries *args = &append.raft.append_entries;
    struct txn *txn;

    memset(entries, 0, sizeof entries);
    assert_int_equal(env_begin_read(c->nodes[1].env, &txn), GW_OK);
    for (uint64_t i = 1; i <= upto; i++) {
        struct slice stored;
        struct store_entry entry;
        assert_int_equal(txn_get_at(txn, ENV_LOG, i, &stored), GW_OK);
        assert_int_equal(meta_entry_parse(stored, &entry), GW_OK);
        entries[i - 1].term = entry.term;
        entries[i - 1].type = (enum raft_entry_type)entry.type;
        entries[i - 1].buf.base = (void *)(uintptr_t)entry.bytes.data;
        entries[i - 1].buf.len = entry.bytes.size;
    }
    args->term = view_of(&c->nodes[2]).term + 1;
    args->leader_commit = leader_commit;
    args->entries = entries;
    args->n_entries = (unsigned)upto;
    inject(c, 3, 2, &append);
    txn_abort(txn);
}

static void entries_behind_the_log_are_passed_over(void **state)
{
    struct cluster c;

    (void)state;
    open_trimmed(&c);
    uint64_t commit = view_of(&c.nodes[2]).commit;
    uint64_t last = view_of(&c.nodes[2]).last;
    assert_true(last < 128);
    give_all(&c, 10, commit); /* all of it trimmed long ago */
    assert_int_equal(view_of(&c.nodes[2]).last, last);
    struct raft_append_entries_result result = answer_to(&c, 3);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, commit);
    give_all(&c, last, last); /* up to what we have */
    assert_int_equal(view_of(&c.nodes[2]).last, last);
    result = answer_to(&c, 3);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, last);
    assert_int_equal(view_of(&c.nodes[2]).commit, last);
    cluster_deinit(&c);
}

/* Behind a trimmed entry there is nothing to go back for. */
static void a_probe_behind_the_log_is_answered_with_what_is_there(void **state)
{
    struct cluster c;
    struct wire_message probe = {.raft = {.type = RAFT_APPEND_ENTRIES}};

    (void)state;
    open_trimmed(&c);
    struct replica_view view = view_of(&c.nodes[2]);
    probe.raft.append_entries.term = view.term + 1;
    probe.raft.append_entries.prev_log_index = 4;
    probe.raft.append_entries.prev_log_term = 1;
    inject(&c, 3, 2, &probe);
    struct raft_append_entries_result result = answer_to(&c, 3);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(result.last_log_index, view.commit);
    cluster_deinit(&c);
}

static void without_the_guard_they_end_the_process(void **state)
{
    struct cluster c;
    int status;

    (void)state;
    open_trimmed(&c);
    node_close(&c, 2);
    c.nodes[2].guards_off = GUARD_COVERED;
    node_open(&c, 2);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        give_all(&c, 10, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cluster_deinit(&c);
}

/* --- once more --- */

static void what_is_said_twice_changes_nothing_the_second_time(void **state)
{
    struct cluster c;
    char barrier[8] = "";
    struct raft_entry entry = {
        .term = 5, .type = RAFT_BARRIER, .buf = {.base = barrier, .len = sizeof barrier}};
    const struct wire_message append = {.raft = {.type = RAFT_APPEND_ENTRIES,
                                                 .append_entries = {.term = 5,
                                                                    .prev_log_index = 1,
                                                                    .prev_log_term = 1,
                                                                    .leader_commit = 1,
                                                                    .entries = &entry,
                                                                    .n_entries = 1}}};
    const struct wire_message vote = {.raft = {.type = RAFT_REQUEST_VOTE,
                                               .request_vote = {.term = 4,
                                                                .candidate_id = 3,
                                                                .last_log_index = 9,
                                                                .last_log_term = 4}}};

    (void)state;
    cluster_init(&c, 3);
    node_bootstrap(&c, 2, 3);
    node_open(&c, 2);
    inject(&c, 1, 2, &append);
    struct raft_append_entries_result first = answer_to(&c, 1);
    struct replica_view before = view_of(&c.nodes[2]);
    assert_int_equal(before.last, 2);
    for (int i = 0; i < 3; i++) {
        inject(&c, 1, 2, &append);
        inject(&c, 3, 2, &vote); /* of a term that is over */
    }
    struct raft_append_entries_result last = answer_to(&c, 1);
    struct replica_view after = view_of(&c.nodes[2]);
    assert_int_equal(last.rejected, first.rejected);
    assert_int_equal(last.last_log_index, first.last_log_index);
    assert_int_equal(after.last, before.last);
    assert_int_equal(after.term, before.term);
    assert_int_equal(after.leader, 1);
    assert_int_equal(after.commit, before.commit);
    cluster_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_of_an_older_term_is_told_the_term_alone),
        cmocka_unit_test(a_dump_of_an_older_term_is_told_the_term_alone),
        cmocka_unit_test(entries_that_are_covered_are_counted),
        cmocka_unit_test(entries_behind_the_log_are_passed_over),
        cmocka_unit_test(a_probe_behind_the_log_is_answered_with_what_is_there),
        cmocka_unit_test(without_the_guard_they_end_the_process),
        cmocka_unit_test(what_is_said_twice_changes_nothing_the_second_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
