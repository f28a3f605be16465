/* Picking endpoints: two choices, weights, locality, the board; budgets of retries. */
#include "node/balance/balance.h"

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
        scene->inputs[i] = (struct balance_input){scene->slots[i], 1, 0};
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
    assert_true(balance_set_build(&scene->arena, scene->inputs, COUNT, &scene->set));
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
                                           BALANCE_LEAST_REQUEST, BALANCE_RANDOM};
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
    assert_true(balance_set_build(&scene.arena, NULL, 0, &scene.set));
    assert_int_equal(balance_pick(&scene.call), BALANCE_NONE);
    scene_end(&scene);
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
        cmocka_unit_test(retries_keep_to_their_budget),
        cmocka_unit_test(backoff_has_full_jitter_and_a_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
