/* The board: one slot per key, never moving, up at first. */
#include "node/board/board.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_key_has_one_slot_that_starts_up(void **state)
{
    (void)state;
    struct board *board = board_new();

    struct board_slot *a = board_slot_ref(board, SLICE("hello/127.0.0.1:80"));
    struct board_slot *b = board_slot_ref(board, SLICE("hello/127.0.0.1:80"));
    struct board_slot *other = board_slot_ref(board, SLICE("hello/127.0.0.1:81"));
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, other);
    assert_int_equal(board_slot_state(a), BOARD_UP);

    board_slot_set(a, BOARD_DOWN);
    assert_int_equal(board_slot_state(b), BOARD_DOWN);
    assert_int_equal(board_slot_state(other), BOARD_UP);

    board_slot_unref(board, a);
    assert_int_equal(board_slot_state(b), BOARD_DOWN);
    board_slot_unref(board, b);
    board_slot_unref(board, other);
    board_slot_unref(board, NULL);
    assert_int_equal(board_slot_count(board), 0);
    board_free(board);
    board_free(NULL);
}

static void a_slot_given_back_starts_again_as_up(void **state)
{
    (void)state;
    struct board *board = board_new();

    struct board_slot *slot = board_slot_ref(board, SLICE("a/x:1"));
    board_slot_set(slot, BOARD_DOWN);
    board_slot_unref(board, slot);
    assert_null(board_slot_find(board, SLICE("a/x:1")));
    struct board_slot *again = board_slot_ref(board, SLICE("b/x:1"));
    assert_ptr_equal(slot, again);
    assert_int_equal(board_slot_state(again), BOARD_UP);
    board_slot_unref(board, again);
    board_free(board);
}

static void slots_do_not_move_while_thousands_are_made(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static struct board_slot *slots[COUNT];
    struct board *board = board_new();
    char key[32];

    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "s/%d", i);
        slots[i] = board_slot_ref(board, slice_from_string(key));
        board_slot_set(slots[i], i % 2 == 0 ? BOARD_DRAINING : BOARD_UP);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "s/%d", i);
        struct board_slot *found = board_slot_find(board, slice_from_string(key));
        assert_ptr_equal(found, slots[i]);
        assert_int_equal(board_slot_state(found), i % 2 == 0 ? BOARD_DRAINING : BOARD_UP);
        board_slot_unref(board, found);
        board_slot_unref(board, found);
    }
    assert_int_equal(board_slot_count(board), 0);
    board_free(board);
}

static void *churn(void *context)
{
    struct board *board = context;
    char key[32];

    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "s/%d", i % 37);
        struct board_slot *slot = board_slot_ref(board, slice_from_string(key));
        board_slot_set(slot, BOARD_DOWN);
        (void)board_slot_state(slot);
        board_slot_unref(board, slot);
    }
    return NULL;
}

static void threads_may_take_and_give_back_at_once(void **state)
{
    (void)state;
    struct board *board = board_new();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, churn, board);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(board_slot_count(board), 0);
    board_free(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_one_slot_that_starts_up),
        cmocka_unit_test(a_slot_given_back_starts_again_as_up),
        cmocka_unit_test(slots_do_not_move_while_thousands_are_made),
        cmocka_unit_test(threads_may_take_and_give_back_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
