/* What is bounded by bytes: the log, what is on its way to a follower, what waits. */
#include "tests/unit/raft/cluster.h"

/* `count` writes of `size` bytes each to as many keys as `keys`. */
static void write_much(struct cluster *c, unsigned count, size_t size, unsigned keys)
{
    char key[32], *value = malloc(size + 1);

    assert_non_null(value);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, "route/r%u", i % keys);
        memset(value, 'a' + (int)(i % 26), size);
        value[size] = '\0';
        assert_int_equal(cluster_put(c, key, value), GW_OK);
    }
    free(value);
}

static void the_log_is_cut_by_bytes_long_before_it_is_by_entries(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++) {
        c.nodes[i].snapshot_bytes = 100000;
        c.nodes[i].trailing_bytes = 20000;
    }
    cluster_open(&c);
    for (unsigned turn = 0; turn < 5; turn++) {
        write_much(&c, 60, 4000, 10);
        for (unsigned i = 1; i <= 3; i++) {
            struct replica_view view = view_of(&c.nodes[i]);

            assert_true(view.log_bytes < 130000);
            assert_true(view.log_entries < 40);
            /* Enough is kept for who is a little late. */
            assert_true(view.log_bytes > 12000);
        }
    }
    for (unsigned i = 1; i <= 3; i++)
        assert_true(replica_counters(c.nodes[i].replica)->compacted_by_bytes >= 10);
    cluster_deinit(&c);
}

static void an_entry_larger_than_all_limits_still_goes_through(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++) {
        c.nodes[i].snapshot_bytes = 1000;
        c.nodes[i].trailing_bytes = 100;
    }
    cluster_open(&c);
    write_much(&c, 3, 6u << 20, 1); /* beyond what may be in flight, too */
    write_much(&c, 3, 10, 1);
    cluster_settle(&c);
    for (unsigned i = 1; i <= 3; i++)
        assert_true(view_of(&c.nodes[i]).log_bytes < 13u << 20);
    cluster_deinit(&c);
}

/* What a restart reads, it counts. */
static void a_restarted_member_knows_the_bytes_of_its_log(void **state)
{
    struct cluster c;

    (void)state;
    cluster_init(&c, 3);
    cluster_open(&c);
    write_much(&c, 20, 5000, 10);
    cluster_settle(&c);
    cluster_run(&c, 50);
    uint64_t before = view_of(&c.nodes[2]).log_bytes;
    assert_true(before > 100000);
    node_close(&c, 2);
    node_open(&c, 2);
    assert_int_equal(view_of(&c.nodes[2]).log_bytes, before);
    cluster_deinit(&c);
}

static uint64_t late_id;
static size_t flying, flying_most;

static bool weigh(struct cluster *cluster, const struct envelope *envelope)
{
    size_t bytes = 0;

    (void)envelope;
    list_each (&cluster->mail, link) {
        struct envelope *waiting = container_of(link, struct envelope, link);
        if (waiting->to == late_id)
            bytes += waiting->size;
    }
    flying = bytes;
    if (bytes > flying_most)
        flying_most = bytes;
    return true;
}

static void a_late_follower_is_sent_no_more_than_may_be_in_flight(void **state)
{
    struct cluster c;
    uint64_t leader;

    (void)state;
    cluster_init(&c, 3);
    for (unsigned i = 1; i <= 3; i++)
        c.nodes[i].snapshot_bytes = c.nodes[i].trailing_bytes = 1ull << 30;
    cluster_open(&c);
    leader = cluster_leader(&c);
    late_id = leader % 3 + 1;
    c.nodes[late_id].is_cut = true;
    write_much(&c, 120, 200000, 4);
    flying_most = 0;
    c.inspect = weigh;
    c.nodes[late_id].is_cut = false;
    cluster_settle(&c);
    assert_true(flying_most > 1u << 20);
    assert_true(flying_most < (4u << 20) + (2u << 20)); /* and the piece that went over */
    assert_int_equal(replica_counters(c.nodes[late_id].replica)->dumps_installed, 0);
    cluster_deinit(&c);
}

static void proposals_are_bounded_by_bytes(void **state)
{
    struct cluster c;
    uint64_t leader;
    char *value = malloc((6u << 20) + 1);
    unsigned taken = 0;

    (void)state;
    assert_non_null(value);
    memset(value, 'x', 6u << 20);
    value[6u << 20] = '\0';
    cluster_init(&c, 3);
    cluster_open(&c);
    leader = cluster_leader(&c);
    /* Nobody answers meanwhile: no turn of the clock. */
    while (propose_put(&c, leader, "route/a", value) == GW_OK && taken < 100)
        taken++;
    assert_int_equal(taken, 10); /* of 64 MiB */
    assert_int_equal(propose_put(&c, leader, "route/a", value), GW_LIMIT);
    cluster_settle(&c);
    assert_int_equal(cluster_put(&c, "route/a", value), GW_OK);
    cluster_deinit(&c);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_is_cut_by_bytes_long_before_it_is_by_entries),
        cmocka_unit_test(an_entry_larger_than_all_limits_still_goes_through),
        cmocka_unit_test(a_restarted_member_knows_the_bytes_of_its_log),
        cmocka_unit_test(a_late_follower_is_sent_no_more_than_may_be_in_flight),
        cmocka_unit_test(proposals_are_bounded_by_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
