/* Which node is wrong, in simulated time. */
#include "raft/sameness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A cluster as one node sees it: each state is the index, times the same for all, plus
 * what is wrong with that node. */
struct world {
    struct sameness sameness;
    struct sameness_peer peers[6];
    size_t count;
    uint64_t id;
    uint64_t wrong;           /* with this node */
    uint64_t oldest, visible; /* of this node's ring */
    uint64_t commit, now_ms;
};

static uint64_t right(uint64_t index)
{
    return index * 0x9e3779b97f4a7c15ull;
}

static bool digest_at(void *owner, uint64_t index, uint64_t *ret_digest)
{
    struct world *world = owner;

    if (index < world->oldest || index > world->visible)
        return false;
    *ret_digest = right(index) + world->wrong;
    return true;
}

static void world_init(struct world *world, size_t peers)
{
    memset(world, 0, sizeof *world);
    world->count = peers;
    world->id = 1;
    world->visible = world->commit = 100;
    world->now_ms = 1000;
    for (size_t i = 0; i < peers; i++)
        world->peers[i] = (struct sameness_peer){.id = 2 + i, .is_voter = true};
}

static void told(struct world *world, size_t peer, uint64_t index, uint64_t wrong)
{
    world->peers[peer].has_told = true;
    world->peers[peer].index = index;
    world->peers[peer].digest = right(index) + wrong;
    world->peers[peer].told_ms = world->now_ms;
}

static void look(struct world *world)
{
    const struct sameness_news news = {.id = world->id,
                                       .peers = world->peers,
                                       .peer_count = world->count,
                                       .is_voter = true,
                                       .digest_at = digest_at,
                                       .owner = world,
                                       .commit = world->commit,
                                       .visible = world->visible};

    world->now_ms += SAMENESS_LOOK_MS;
    sameness_look(&world->sameness, &news, world->now_ms);
}

static void looks(struct world *world, unsigned count)
{
    while (count-- > 0)
        look(world);
}

static void nodes_that_agree_are_the_same(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    told(&world, 0, 100, 0);
    told(&world, 1, 90, 0);
    looks(&world, 3);
    assert_int_equal(world.sameness.verdict, SAMENESS_SAME);
    assert_false(world.sameness.is_quarantined);
}

static void the_one_that_differs_from_two_is_quarantined(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    told(&world, 0, 100, 0);
    told(&world, 1, 95, 0); /* not at the same index: they differ by the same */
    look(&world);
    assert_false(world.sameness.is_quarantined); /* once may be a mistake */
    look(&world);
    assert_true(world.sameness.is_quarantined);
    assert_true(sameness_differs(&world.sameness, 2, world.now_ms));
}

static void the_two_see_it_and_are_not(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    told(&world, 0, 100, 0);
    told(&world, 1, 100, 7);
    looks(&world, 5);
    assert_int_equal(world.sameness.verdict, SAMENESS_SAME);
    assert_false(world.sameness.is_quarantined);
    assert_true(sameness_differs(&world.sameness, 3, world.now_ms));
    assert_false(sameness_differs(&world.sameness, 2, world.now_ms));
}

static void three_ways_are_nobodys_fault_and_an_alarm(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    told(&world, 0, 100, 0);
    told(&world, 1, 100, 9);
    looks(&world, 5);
    assert_int_equal(world.sameness.verdict, SAMENESS_SPLIT);
    assert_true(world.sameness.is_split);
    assert_false(world.sameness.is_quarantined);
}

static void two_of_three_that_differ_have_no_majority(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    told(&world, 0, 100, 0); /* the third is down */
    looks(&world, 5);
    assert_int_equal(world.sameness.verdict, SAMENESS_SPLIT);
    assert_false(world.sameness.is_quarantined);
}

static void a_minority_of_five_is_quarantined_though_it_is_one(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 4);
    world.wrong = 7;
    told(&world, 0, 100, 7); /* wrong in the same way */
    for (size_t i = 1; i < 4; i++)
        told(&world, i, 100, 0);
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
}

/* All find themselves wrong: the finding is. */
static void never_more_than_a_minority_is_quarantined(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.id = 9;
    world.wrong = 7;
    told(&world, 0, 100, 0);
    told(&world, 1, 100, 0);
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
    world.peers[1].is_quarantined = true; /* so says one of a lower id, too */
    looks(&world, 2);
    assert_false(world.sameness.is_quarantined);
    assert_true(world.sameness.is_split);
    world.id = 1; /* the lowest */
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
    world.id = 9;
    world.peers[1].is_quarantined = false;
    world.peers[1].is_voter = false; /* two voters have no minority */
    looks(&world, 2);
    assert_false(world.sameness.is_quarantined);
}

static void standbys_have_no_voice(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 5);
    for (size_t i = 0; i < 5; i++)
        told(&world, i, 100, i < 2 ? 0 : 7);
    for (size_t i = 2; i < 5; i++)
        world.peers[i].is_voter = false;
    looks(&world, 5);
    assert_int_equal(world.sameness.verdict, SAMENESS_SAME);
}

static void what_is_out_of_the_ring_says_nothing(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    world.oldest = 98;
    told(&world, 0, 97, 0);
    told(&world, 1, 97, 0);
    looks(&world, 5);
    assert_int_equal(world.sameness.verdict, SAMENESS_UNKNOWN);
    assert_false(world.sameness.is_quarantined);
    told(&world, 0, 99, 0);
    told(&world, 1, 99, 0);
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
}

static void who_lags_compares_when_it_gets_there(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    told(&world, 0, 150, 0);
    told(&world, 1, 160, 0);
    looks(&world, 3);
    assert_int_equal(world.sameness.verdict, SAMENESS_UNKNOWN);
    world.visible = 170;
    told(&world, 0, 250, 0); /* they are ahead again, but 150 and 160 were kept */
    told(&world, 1, 260, 0);
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
}

static void quarantine_ends_with_agreement_and_not_with_silence(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    world.wrong = 7;
    told(&world, 0, 100, 0);
    told(&world, 1, 100, 0);
    looks(&world, 2);
    assert_true(world.sameness.is_quarantined);
    world.peers[0].has_told = world.peers[1].has_told = false;
    looks(&world, 60); /* cut off from both */
    assert_int_equal(world.sameness.verdict, SAMENESS_UNKNOWN);
    assert_true(world.sameness.is_quarantined);
    world.wrong = 0; /* a dump was installed */
    world.visible = world.oldest = 200;
    told(&world, 0, 200, 0);
    told(&world, 1, 200, 0);
    looks(&world, 2);
    assert_false(world.sameness.is_quarantined);
    assert_int_equal(world.sameness.verdict, SAMENESS_SAME);
}

static void who_is_slow_to_apply_is_warned_of(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 2);
    looks(&world, 20);
    assert_false(world.sameness.is_lagging); /* nothing to apply */
    world.commit = 200;
    looks(&world, 3);
    world.visible = 150; /* gets on, but 200 was committed long ago */
    looks(&world, 5);
    assert_true(world.sameness.is_lagging);
    world.visible = 200;
    look(&world);
    assert_false(world.sameness.is_lagging);
    for (int i = 0; i < 20; i++) { /* busy, a second behind */
        world.visible = world.commit;
        world.commit += 500;
        look(&world);
        assert_false(world.sameness.is_lagging);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_that_agree_are_the_same),
        cmocka_unit_test(the_one_that_differs_from_two_is_quarantined),
        cmocka_unit_test(the_two_see_it_and_are_not),
        cmocka_unit_test(three_ways_are_nobodys_fault_and_an_alarm),
        cmocka_unit_test(two_of_three_that_differ_have_no_majority),
        cmocka_unit_test(a_minority_of_five_is_quarantined_though_it_is_one),
        cmocka_unit_test(never_more_than_a_minority_is_quarantined),
        cmocka_unit_test(standbys_have_no_voice),
        cmocka_unit_test(what_is_out_of_the_ring_says_nothing),
        cmocka_unit_test(who_lags_compares_when_it_gets_there),
        cmocka_unit_test(quarantine_ends_with_agreement_and_not_with_silence),
        cmocka_unit_test(who_is_slow_to_apply_is_warned_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
