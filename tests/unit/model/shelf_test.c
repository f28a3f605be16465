/* Shelves beside a plain sorted array, with copies taken on the way. */
#include "fixture.h"

#include "base/rng.h"
#include "model/shelf.h"

#define NAMES  700
#define STEPS  20000
#define COPIES 8

static struct resource *resources[NAMES];

static int setup(void **state)
{
    struct problems problems;

    (void)state;
    problems_init(&problems);
    for (int i = 0; i < NAMES; i++) {
        char text[160];
        snprintf(text, sizeof text,
                 GW "kind: Region\nmetadata: {name: a-long-name-%d}\nspec: {}\n", i);
        resources[i] = decode_text(text, &problems);
        assert_non_null(resources[i]);
    }
    problems_deinit(&problems);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        assert_int_equal(resources[i]->references, 1); /* nothing holds on to one */
        resource_unref(resources[i]);
    }
    return 0;
}

struct model {
    bool has[NAMES];
    size_t count;
};

static uint64_t order_of(const struct resource *resource)
{
    return shelf_name_order(resource->name);
}

static void assert_same(const struct shelf *shelf, const struct model *model)
{
    struct shelf_cursor cursor = shelf_first(shelf);
    const struct resource *resource, *last = NULL;
    size_t count = 0;

    while ((resource = shelf_next(&cursor)) != NULL) {
        assert_true(last == NULL || slice_compare(last->name, resource->name) < 0);
        last = resource;
        count++;
    }
    assert_int_equal(count, model->count);
    assert_int_equal(shelf_count(shelf), model->count);
    for (int i = 0; i < NAMES; i++)
        assert_ptr_equal(
            shelf_get(shelf, order_of(resources[i]), KIND_REGION, resources[i]->name),
            model->has[i] ? resources[i] : NULL);
}

static void copies_keep_what_they_had(void **state)
{
    struct shelf shelf, copies[COPIES];
    struct model model = {.count = 0}, models[COPIES] = {0};
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    shelf_init(&shelf);
    for (int i = 0; i < COPIES; i++)
        shelf_init(&copies[i]);
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&rng, NAMES);
        /* Grows at first, shrinks in the end. */
        if (rng_below(&rng, STEPS) > (uint64_t)step) {
            assert_true(shelf_put(&shelf, order_of(resources[i]), resources[i]));
            model.count += !model.has[i];
            model.has[i] = true;
        } else {
            bool found;
            assert_true(shelf_remove(&shelf, order_of(resources[i]), KIND_REGION,
                                     resources[i]->name, &found));
            assert_int_equal(found, model.has[i]);
            model.count -= model.has[i];
            model.has[i] = false;
        }
        if (rng_chance(&rng, 10)) {
            size_t copy = rng_below(&rng, COPIES);
            assert_same(&copies[copy], &models[copy]);
            shelf_deinit(&copies[copy]);
            shelf_share(&shelf, &copies[copy]);
            models[copy] = model;
        }
        if (rng_chance(&rng, 2)) { /* a copy may be changed, too */
            size_t copy = rng_below(&rng, COPIES);
            assert_true(shelf_put(&copies[copy], order_of(resources[i]), resources[i]));
            models[copy].count += !models[copy].has[i];
            models[copy].has[i] = true;
        }
    }
    assert_same(&shelf, &model);
    for (int i = 0; i < COPIES; i++) {
        assert_same(&copies[i], &models[i]);
        shelf_deinit(&copies[i]);
    }
    shelf_deinit(&shelf);
}

static void items_of_one_order_stand_together(void **state)
{
    struct shelf shelf;
    const struct resource *resource;
    size_t count = 0;

    (void)state;
    shelf_init(&shelf);
    for (size_t i = 0; i < NAMES; i++)
        assert_true(shelf_put(&shelf, i % 7, resources[i]));
    struct shelf_cursor cursor = shelf_seek(&shelf, 3);
    while ((resource = shelf_next_of(&cursor, 3)) != NULL)
        count++;
    assert_int_equal(count, NAMES / 7);
    cursor = shelf_seek(&shelf, 99);
    assert_null(shelf_next_of(&cursor, 99));
    shelf_deinit(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_keep_what_they_had),
        cmocka_unit_test(items_of_one_order_stand_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
