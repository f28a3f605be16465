/* Picking endpoints: two choices, weights, locality, the board; budgets of retries. */
#include "node/balance/balance.h"

#include "base/hash.h"
#include "node/balance/bulkhead.h"
#include "node/balance/retry_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT  4
#define DRAWS  20000
#define SECOND UINT64_C(1000000)
#define DECAY  10000u

struct scene {
    struct arena arena;
    struct board *board;
    struct board_slot *slots[COUNT];
    struct balance_input inputs[COUNT];
    struct balance_set set;
    struct endpoint_live lives[COUNT];
    struct endpoint_live *live[COUNT];
    struct rng rng;
    struct balance_call call;
    unsigned hits[COUNT];
};

static void scene_start(struct scene *scene, enum balance method)
{
    char key[16];

    *scene = (struct scene){.board = board_new()};
    arena_init(&scene->arena, 0, 0);
    rng_init(&scene->rng, 42);
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "s/%d", i);
        scene->slots[i] = board_slot_ref(scene->board, slice_from_string(key));
        scene->inputs[i] = (struct balance_input){scene->slots[i], 1, 0,
                                                  hash_stable(slice_from_string(key))};
        scene->live[i] = &scene->lives[i];
    }
    scene->call = (struct balance_call){.set = &scene->set,
                                        .method = method,
                                        .live = scene->live,
                                        .decay_ms = DECAY,
                                        .rng = &scene->rng};
}

static void build(struct scene *scene)
{
    assert_true(balance_set_build(&scene->arena, scene->inputs, COUNT, true, &scene->set));
}

static void draw_many(struct scene *scene)
{
    memset(scene->hits, 0, sizeof scene->hits);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t index = balance_pick(&scene->call);
        assert_true(index < COUNT);
        scene->hits[index]++;
    }
}

static void assert_share(const struct scene *scene, int index, unsigned percent)
{
    unsigned wanted = DRAWS / 100 * percent, slack = DRAWS / 100 * 2;
    if (scene->hits[index] + slack < wanted || scene->hits[index] > wanted + slack)
        print_error("endpoint %d: %u of %d draws, not %u %%\n", index, scene->hits[index],
                    DRAWS, percent);
    assert_in_range(scene->hits[index], wanted > slack ? wanted - slack : 0,
                    wanted + slack);
}

static void scene_end(struct scene *scene)
{
    for (int i = 0; i < COUNT; i++)
        board_slot_unref(scene->board, scene->slots[i]);
    board_free(scene->board);
    arena_deinit(&scene->arena);
}

static void draws_follow_the_weights(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_RANDOM);
    scene.inputs[0].weight = 6;
    scene.inputs[1].weight = 3;
    scene.inputs[2].weight = 1;
    scene.inputs[3].weight = 0;
    build(&scene);
    draw_many(&scene);
    assert_share(&scene, 0, 60);
    assert_share(&scene, 1, 30);
    assert_share(&scene, 2, 10);
    assert_int_equal(scene.hits[3], 0);
    assert_int_equal(balance_available(&scene.set), 3);
    scene_end(&scene);
}

static void turns_follow_the_weights_smoothly(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_ROUND_ROBIN);
    scene.inputs[0].weight = 5;
    scene.inputs[3].weight = 0;
    build(&scene);
    static const uint32_t wanted[] = {0, 0, 1, 0, 2, 0, 0};
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < 7; i++)
            assert_int_equal(balance_pick(&scene.call), wanted[i]);
    scene_end(&scene);
}

static void the_slow_one_is_left_alone_and_asked_again_later(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    build(&scene);
    for (int i = 0; i < COUNT; i++) {
        endpoint_live_begin(&scene.lives[i]);
        endpoint_live_end(&scene.lives[i], SECOND, i == 2 ? 200000 : 2000, DECAY);
    }
    scene.call.now_us = SECOND;
    draw_many(&scene);
    assert_int_equal(scene.hits[2], 0);

    /* Its average decays while the others' stays fresh. */
    uint64_t later = 61 * SECOND;
    for (int i = 0; i < COUNT; i++)
        if (i != 2) {
            endpoint_live_begin(&scene.lives[i]);
            endpoint_live_end(&scene.lives[i], later, 2000, DECAY);
        }
    scene.call.now_us = later;
    draw_many(&scene);
    assert_true(scene.hits[2] > 0);
    scene_end(&scene);
}

static void a_fast_failure_is_no_fast_endpoint(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    build(&scene);
    for (int i = 0; i < COUNT; i++) {
        endpoint_live_begin(&scene.lives[i]);
        if (i == 0)
            endpoint_live_fail(&scene.lives[i], SECOND, 100, DECAY);
        else
            endpoint_live_end(&scene.lives[i], SECOND, 5000, DECAY);
    }
    scene.call.now_us = SECOND;
    draw_many(&scene);
    assert_int_equal(scene.hits[0], 0);
    scene_end(&scene);
}

static void calls_under_way_count(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_LEAST_REQUEST);
    build(&scene);
    for (int i = 0; i < 3; i++)
        endpoint_live_begin(&scene.lives[1]);
    draw_many(&scene);
    assert_int_equal(scene.hits[1], 0);
    endpoint_live_drop(&scene.lives[1]);
    assert_int_equal(scene.lives[1].in_flight, 2);

    scene.call.method = BALANCE_P2C_EWMA; /* nothing sampled yet: the same */
    draw_many(&scene);
    assert_int_equal(scene.hits[1], 0);
    scene.call.in_flight_max = 2;
    scene.call.method = BALANCE_RANDOM;
    draw_many(&scene);
    assert_int_equal(scene.hits[1], 0);
    scene_end(&scene);
}

static void an_unknown_endpoint_does_not_get_everything(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    build(&scene);
    for (int i = 0; i < COUNT; i++) { /* all calls stay under way */
        uint32_t index = balance_pick(&scene.call);
        endpoint_live_begin(&scene.lives[index]);
    }
    for (int i = 0; i < COUNT; i++)
        assert_true(scene.lives[i].in_flight <= 2);
    scene_end(&scene);
}

static void nobody_is_tried_twice_and_the_board_is_obeyed(void **state)
{
    (void)state;
    static const enum balance methods[] = {BALANCE_P2C_EWMA, BALANCE_ROUND_ROBIN,
                                           BALANCE_LEAST_REQUEST, BALANCE_RANDOM,
                                           BALANCE_HASH};
    for (unsigned m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        struct scene scene;
        uint32_t tried[COUNT];
        scene_start(&scene, methods[m]);
        build(&scene);
        board_slot_set(scene.slots[1], BOARD_DOWN);
        board_slot_set(scene.slots[2], BOARD_DRAINING);
        scene.call.tried = tried;
        tried[0] = balance_pick(&scene.call);
        scene.call.tried_count = 1;
        tried[1] = balance_pick(&scene.call);
        scene.call.tried_count = 2;
        assert_true(tried[0] + tried[1] == 3 && (tried[0] == 0 || tried[0] == 3));
        assert_int_equal(balance_pick(&scene.call), BALANCE_NONE);
        assert_int_equal(balance_available(&scene.set), 2);
        scene_end(&scene);
    }
}

static void the_near_ones_are_used_while_any_is_up(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    scene.inputs[0].rank = 7;
    scene.inputs[1].rank = 1;
    scene.inputs[2].rank = 1;
    scene.inputs[3].rank = UINT32_MAX; /* strict: never */
    build(&scene);
    draw_many(&scene);
    assert_share(&scene, 1, 50);
    assert_share(&scene, 2, 50);
    board_slot_set(scene.slots[1], BOARD_DOWN);
    draw_many(&scene);
    assert_share(&scene, 2, 100);
    board_slot_set(scene.slots[2], BOARD_DOWN);
    draw_many(&scene);
    assert_share(&scene, 0, 100);
    board_slot_set(scene.slots[0], BOARD_DOWN);
    assert_int_equal(balance_pick(&scene.call), BALANCE_NONE);
    scene_end(&scene);
}

static void an_empty_set_gives_none(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    assert_true(balance_set_build(&scene.arena, NULL, 0, true, &scene.set));
    assert_int_equal(balance_pick(&scene.call), BALANCE_NONE);
    scene_end(&scene);
}

/* ---- hash ---- */

static uint32_t pick_key(struct scene *scene, unsigned number)
{
    char text[24];
    snprintf(text, sizeof text, "user-%u", number);
    scene->call.has_key = true;
    scene->call.key = hash_stable(slice_from_string(text));
    return balance_pick(&scene->call);
}

static void a_key_stays_and_keys_spread_by_weight(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_HASH);
    scene.inputs[0].weight = 2;
    build(&scene);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t index = pick_key(&scene, i);
        assert_int_equal(pick_key(&scene, i), index);
        scene.hits[index]++;
    }
    /* Within a fifth of 40, 20, 20, 20 %: 160 points spread by about 8 %. */
    for (int i = 0; i < COUNT; i++) {
        unsigned wanted = DRAWS / 5 * scene.inputs[i].weight;
        assert_in_range(scene.hits[i], wanted - wanted / 5, wanted + wanted / 5);
    }
    scene_end(&scene);
}

static void who_goes_down_moves_only_its_own_keys(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t before[1000];
    unsigned moved_to[COUNT] = {0};
    scene_start(&scene, BALANCE_HASH);
    build(&scene);
    for (unsigned i = 0; i < 1000; i++)
        before[i] = pick_key(&scene, i);
    board_slot_set(scene.slots[2], BOARD_DOWN);
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t index = pick_key(&scene, i);
        assert_int_not_equal(index, 2);
        if (before[i] == 2)
            moved_to[index]++;
        else
            assert_int_equal(index, before[i]);
    }
    assert_true(moved_to[0] > 20 && moved_to[1] > 20 && moved_to[3] > 20);
    board_slot_set(scene.slots[2], BOARD_UP);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(pick_key(&scene, i), before[i]);
    scene_end(&scene);
}

/* A new one among many takes its part from all of them, and nothing moves else. */
static void who_comes_takes_its_part_and_no_more(void **state)
{
    (void)state;
    enum { MANY = 20 };
    struct arena arena;
    struct balance_input inputs[MANY];
    struct balance_set small, large;
    struct rng rng;
    unsigned moved = 0;
    arena_init(&arena, 0, 0);
    rng_init(&rng, 7);
    for (uint32_t i = 0; i < MANY; i++)
        inputs[i] = (struct balance_input){.weight = 1, .id = rng_next(&rng)};
    assert_true(balance_set_build(&arena, inputs, MANY - 1, true, &small));
    assert_true(balance_set_build(&arena, inputs, MANY, true, &large));
    struct balance_call call = {.method = BALANCE_HASH, .has_key = true, .rng = &rng};
    for (unsigned i = 0; i < DRAWS; i++) {
        call.key = rng_next(&rng);
        call.set = &small;
        uint32_t before = balance_pick(&call);
        call.set = &large;
        uint32_t after = balance_pick(&call);
        if (after != before) {
            assert_int_equal(after, MANY - 1);
            moved++;
        }
    }
    assert_in_range(moved, DRAWS / MANY * 7 / 10, DRAWS / MANY * 13 / 10);
    arena_deinit(&arena);
}

static void one_hot_key_is_shared_within_the_bound(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_HASH);
    build(&scene);
    scene.call.bound = 12500;
    for (unsigned calls = 1; calls <= 400; calls++) {
        endpoint_live_begin(&scene.lives[pick_key(&scene, 1)]);
        unsigned most = (125 * calls + 399) / 400; /* ceil(1.25 x calls / 4) */
        for (int i = 0; i < COUNT; i++)
            assert_true(scene.lives[i].in_flight <= most);
    }
    /* One at a time it never leaves its place. */
    memset(scene.lives, 0, sizeof scene.lives);
    uint32_t home = pick_key(&scene, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pick_key(&scene, 1), home);
    scene_end(&scene);
}

static void the_bound_goes_by_weight(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_HASH);
    scene.inputs[0].weight = 5;
    build(&scene);
    scene.call.bound = 11000;
    for (unsigned i = 0; i < 800; i++)
        endpoint_live_begin(&scene.lives[pick_key(&scene, i % 3)]);
    assert_in_range(scene.lives[0].in_flight, 500 * 8 / 10, 551);
    for (int i = 1; i < COUNT; i++)
        assert_true(scene.lives[i].in_flight <= 111);
    scene_end(&scene);
}

static void without_a_key_the_cheapest_of_two_is_taken(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_HASH);
    build(&scene);
    for (int i = 0; i < 3; i++)
        endpoint_live_begin(&scene.lives[1]);
    draw_many(&scene);
    assert_int_equal(scene.hits[1], 0);
    assert_share(&scene, 0, 33);
    scene_end(&scene);
}

/* ---- sticky ---- */

static void the_cookie_wins_while_its_endpoint_can(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_RANDOM);
    scene.inputs[3].rank = 5; /* far away all the same */
    build(&scene);
    scene.call.sticky = 1 + balance_set_find(&scene.set, scene.inputs[3].id);
    draw_many(&scene);
    assert_share(&scene, 3, 100);
    board_slot_set(scene.slots[3], BOARD_DOWN);
    draw_many(&scene);
    assert_share(&scene, 0, 33);
    assert_int_equal(balance_set_find(&scene.set, 12345), BALANCE_NONE);
    scene.inputs[3].weight = 0; /* no new requests: nor those */
    build(&scene);
    assert_int_equal(balance_set_find(&scene.set, scene.inputs[3].id), BALANCE_NONE);
    scene_end(&scene);
}

/* ---- slow start ---- */

static void a_new_endpoint_gets_its_share_in_a_straight_line(void **state)
{
    (void)state;
    static const enum balance methods[] = {BALANCE_RANDOM, BALANCE_ROUND_ROBIN};
    for (unsigned m = 0; m < 2; m++) {
        struct scene scene;
        scene_start(&scene, methods[m]);
        build(&scene);
        scene.call.slow_for_ms = 30000;
        scene.call.slow_from = 1000;
        scene.lives[0].since_us = 100 * SECOND;
        static const struct {
            unsigned after_s, share; /* of 3 full ones and itself, in percent */
        } steps[] = {{0, 3}, {3, 3}, {15, 14}, {30, 25}, {1000, 25}};
        for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            scene.call.now_us = (100 + steps[i].after_s) * SECOND;
            draw_many(&scene);
            assert_share(&scene, 0, steps[i].share);
        }
        scene_end(&scene);
    }
}

static void who_comes_back_starts_slowly_too(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_RANDOM);
    build(&scene);
    scene.call.slow_for_ms = 30000;
    scene.call.slow_from = 1000;
    scene.call.now_us = 10 * SECOND;
    board_slot_set(scene.slots[0], BOARD_DOWN);
    draw_many(&scene);
    assert_int_equal(scene.hits[0], 0);
    board_slot_set(scene.slots[0], BOARD_UP);
    scene.call.now_us = 20 * SECOND;
    draw_many(&scene);
    assert_share(&scene, 0, 3);
    scene.call.now_us = 50 * SECOND;
    draw_many(&scene);
    assert_share(&scene, 0, 25);
    scene_end(&scene);
}

static void who_is_alone_and_new_gets_everything(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene, BALANCE_P2C_EWMA);
    build(&scene);
    scene.call.slow_for_ms = 30000; /* and from 0 % */
    scene.lives[0].since_us = scene.call.now_us = SECOND;
    for (int i = 1; i < COUNT; i++)
        board_slot_set(scene.slots[i], BOARD_DOWN);
    draw_many(&scene);
    assert_share(&scene, 0, 100);
    scene_end(&scene);
}

/* ---- p2c ---- */

/* Four servers, one five times as slow, a closed loop of 16 callers: it gets what it
 * can bear, and no call waits long behind it. */
static void load_follows_speed(void **state)
{
    (void)state;
    enum { CALLERS = 16 };
    struct scene scene;
    struct {
        uint64_t done_us, began_us;
        uint32_t index;
    } calls[CALLERS] = {{0}};
    scene_start(&scene, BALANCE_P2C_EWMA);
    build(&scene);
    for (int i = 0; i < CALLERS; i++)
        calls[i].index = BALANCE_NONE;
    for (int n = 0; n < DRAWS; n++) {
        int next = 0;
        for (int i = 1; i < CALLERS; i++)
            if (calls[i].done_us < calls[next].done_us)
                next = i;
        uint64_t now_us = calls[next].done_us;
        if (calls[next].index != BALANCE_NONE)
            endpoint_live_end(&scene.lives[calls[next].index], now_us,
                              now_us - calls[next].began_us, DECAY);
        scene.call.now_us = now_us;
        uint32_t index = balance_pick(&scene.call);
        endpoint_live_begin(&scene.lives[index]);
        scene.hits[index]++;
        calls[next].index = index;
        calls[next].began_us = now_us;
        /* The work of all that are there is shared: time grows with their number. */
        uint64_t each_us = index == 3 ? 5000 : 1000;
        calls[next].done_us =
            now_us + each_us * scene.lives[index].in_flight + rng_below(&scene.rng, 200);
    }
    assert_true(scene.hits[3] > 0);
    assert_true(scene.hits[3] < DRAWS / 10); /* its even part would be a quarter */
    scene_end(&scene);
}

/* ---- bulkheads ---- */

static void a_bulkhead_has_places_and_a_queue(void **state)
{
    (void)state;
    struct bulkhead bulkhead = {0};
    struct bulkhead_limits limits = {.in_flight = 2, .queue = 1, .wait_ms = 100};

    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_ENTERED);
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_ENTERED);
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_QUEUED);
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_FULL);
    assert_false(bulkhead_advance(&bulkhead, &limits));
    bulkhead_leave(&bulkhead);
    /* The free place belongs to who waits. */
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_FULL);
    assert_true(bulkhead_advance(&bulkhead, &limits));
    assert_false(bulkhead_advance(&bulkhead, &limits));
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_QUEUED);
    bulkhead_give_up(&bulkhead);
    /* The limit is lowered: nobody comes until two have left. */
    limits.in_flight = 1;
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_QUEUED);
    bulkhead_leave(&bulkhead);
    assert_false(bulkhead_advance(&bulkhead, &limits));
    bulkhead_leave(&bulkhead);
    assert_true(bulkhead_advance(&bulkhead, &limits));
    bulkhead_leave(&bulkhead);
    assert_int_equal(bulkhead.in_flight + bulkhead.queued, 0);
    /* Who may not wait is turned away. */
    limits.wait_ms = 0;
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_ENTERED);
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_FULL);
    limits.in_flight = 0;
    assert_int_equal(bulkhead_enter(&bulkhead, &limits), BULKHEAD_ENTERED);
}

static void retries_keep_to_their_budget(void **state)
{
    (void)state;
    struct retry_budget_state budget = {0};

    for (int i = 0; i < 10; i++)
        retry_budget_enter(&budget);
    for (int i = 0; i < 3; i++) /* 20 % of 10 is 2: the floor rules */
        assert_true(retry_budget_take(&budget, 20, 3));
    assert_false(retry_budget_take(&budget, 20, 3));
    for (int i = 0; i < 10; i++)
        retry_budget_enter(&budget);
    assert_true(retry_budget_take(&budget, 20, 3)); /* 4 of 20 */
    assert_false(retry_budget_take(&budget, 20, 3));
    retry_budget_give(&budget);
    assert_true(retry_budget_take(&budget, 20, 3));
    for (int i = 0; i < 30; i++)
        retry_budget_leave(&budget);
    assert_int_equal(budget.active, 0);
}

static void backoff_has_full_jitter_and_a_top(void **state)
{
    (void)state;
    struct rng rng;
    uint32_t most[8] = {0};

    rng_init(&rng, 1);
    for (int i = 0; i < 5000; i++)
        for (unsigned retry = 1; retry < 8; retry++) {
            uint32_t ms = retry_backoff_ms(&rng, retry, 25, 250);
            if (ms > most[retry])
                most[retry] = ms;
        }
    assert_int_equal(most[1], 25);
    assert_int_equal(most[2], 50);
    assert_int_equal(most[4], 200);
    assert_int_equal(most[5], 250);
    assert_int_equal(most[7], 250);
    assert_int_equal(retry_backoff_ms(&rng, 1, 0, 0), 0);
    assert_true(retry_backoff_ms(&rng, 200, 25, 250) <= 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_weights),
        cmocka_unit_test(turns_follow_the_weights_smoothly),
        cmocka_unit_test(the_slow_one_is_left_alone_and_asked_again_later),
        cmocka_unit_test(a_fast_failure_is_no_fast_endpoint),
        cmocka_unit_test(calls_under_way_count),
        cmocka_unit_test(an_unknown_endpoint_does_not_get_everything),
        cmocka_unit_test(nobody_is_tried_twice_and_the_board_is_obeyed),
        cmocka_unit_test(the_near_ones_are_used_while_any_is_up),
        cmocka_unit_test(an_empty_set_gives_none),
        cmocka_unit_test(a_key_stays_and_keys_spread_by_weight),
        cmocka_unit_test(who_goes_down_moves_only_its_own_keys),
        cmocka_unit_test(who_comes_takes_its_part_and_no_more),
        cmocka_unit_test(one_hot_key_is_shared_within_the_bound),
        cmocka_unit_test(the_bound_goes_by_weight),
        cmocka_unit_test(without_a_key_the_cheapest_of_two_is_taken),
        cmocka_unit_test(the_cookie_wins_while_its_endpoint_can),
        cmocka_unit_test(a_new_endpoint_gets_its_share_in_a_straight_line),
        cmocka_unit_test(who_comes_back_starts_slowly_too),
        cmocka_unit_test(who_is_alone_and_new_gets_everything),
        cmocka_unit_test(load_follows_speed),
        cmocka_unit_test(a_bulkhead_has_places_and_a_queue),
        cmocka_unit_test(retries_keep_to_their_budget),
        cmocka_unit_test(backoff_has_full_jitter_and_a_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
