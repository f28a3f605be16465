/* The arena: limits, alignment, and memory that settles. */
#include "base/arena.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    struct arena arena;
    struct rng rng;
    static unsigned char *pieces[500];
    static size_t sizes[500];
    (void)state;

    arena_init(&arena, 256, 0);
    rng_init(&rng, 3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 500; i++) {
            sizes[i] = rng_below(&rng, rng_chance(&rng, 50) ? 2000 : 40);
            pieces[i] = arena_alloc(&arena, sizes[i]);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % 16, 0);
            memset(pieces[i], i, sizes[i]);
        }
        for (int i = 0; i < 500; i++)
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(pieces[i][j], (unsigned char)i);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    arena_deinit(NULL);
}

static void above_the_limit_nothing_is_given_and_a_reset_gives_again(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 0, 1000);
    assert_non_null(arena_alloc(&arena, 900));
    assert_null(arena_alloc(&arena, 200));
    assert_non_null(arena_alloc(&arena, 50));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(arena_zalloc(&arena, 2000));
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 900));
    arena_deinit(&arena);
}

static void the_same_use_again_takes_the_same_memory(void **state)
{
    struct arena arena;
    void *first[20];
    (void)state;
    arena_init(&arena, 128, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            void *piece = arena_alloc(&arena, 40);
            if (round == 0)
                first[i] = piece;
            else
                assert_ptr_equal(piece, first[i]);
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void blocks_given_back_serve_the_next_arena_whole(void **state)
{
    struct arena arenas[100];
    (void)state;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            arena_init(&arenas[i], 0, 0);
            for (int piece = 0; piece < 4; piece++)
                memset(arena_alloc(&arenas[i], 2000), i, 2000);
        }
        for (int i = 0; i < 100; i++) {
            char *first = arena_alloc(&arenas[i], 6000);
            memset(first, 255, 6000);
            arena_deinit(&arenas[i]);
        }
    }
}

static void copies_end_with_nul_and_arrays_grow(void **state)
{
    struct arena arena;
    size_t count = 0, capacity = 0;
    void *items = NULL;
    (void)state;

    arena_init(&arena, 0, 0);
    struct slice copy = arena_copy(&arena, SLICE("abc"));
    assert_string_equal(copy.data, "abc");
    assert_int_equal(copy.size, 3);
    assert_non_null(arena_copy(&arena, (struct slice){NULL, 0}).data);
    assert_string_equal(arena_printf(&arena, "%d-%s", 7, "x").data, "7-x");
    for (int i = 0; i < 100; i++) {
        int *item = arena_grow(&arena, &items, &count, &capacity, sizeof *item);
        assert_int_equal(*item, 0);
        *item = i;
    }
    assert_int_equal(count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(((int *)items)[i], i);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(above_the_limit_nothing_is_given_and_a_reset_gives_again),
        cmocka_unit_test(the_same_use_again_takes_the_same_memory),
        cmocka_unit_test(blocks_given_back_serve_the_next_arena_whole),
        cmocka_unit_test(copies_end_with_nul_and_arrays_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
