/* Blocks, heads in pieces, and lazy deadlines: no sockets, simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/proxy/blocks.h"
#include "node/proxy/deadline.h"
#include "node/proxy/intake.h"

#include <stdlib.h>

static void blocks_are_used_again(void **state)
{
    struct blocks blocks;
    (void)state;
    blocks_init(&blocks);
    struct block *first = block_take(&blocks, 100);
    assert_int_equal(first->capacity, BLOCK_SMALL);
    block_give(&blocks, first);
    for (int i = 0; i < 100; i++) {
        struct block *block = block_take(&blocks, BLOCK_SMALL);
        assert_ptr_equal(block, first);
        block_give(&blocks, block);
    }
    assert_int_equal(blocks.allocated, 1);
    assert_int_equal(blocks.used_bytes, 0);
    assert_null(block_take(&blocks, BLOCK_HUGE + 1));
    blocks_deinit(&blocks);
}

static void a_block_grows_to_its_limit_and_no_further(void **state)
{
    static char data[50000];
    struct blocks blocks;
    struct block *block = NULL;
    (void)state;
    blocks_init(&blocks);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
    assert_true(block_append(&blocks, &block, slice_of(data, 1000)));
    assert_true(block_append(&blocks, &block, slice_of(data + 1000, 49000)));
    assert_memory_equal(block->data, data, sizeof data);
    assert_true(block_append(&blocks, &block, slice_of(data, sizeof data)));
    assert_false(block_append(&blocks, &block, slice_of(data, sizeof data)));
    assert_int_equal(block->size, 2 * sizeof data);
    block_give(&blocks, block);
    assert_int_equal(blocks.used_bytes, 0);
    blocks_deinit(&blocks);
}

static const struct intake_rules rules = {
    .limits = {.head_bytes = 8192, .target_bytes = 1024}, .header_count = 50};

static void a_head_cut_anywhere_is_the_same_head(void **state)
{
    static const char text[] = "GET /a/b?c HTTP/1.1\r\nHost: a.example\r\nX-One: "
                               "1\r\nX-Two: two words\r\n\r\nrest";
    struct blocks blocks;
    struct intake_head *scratch = malloc(sizeof *scratch);
    (void)state;
    blocks_init(&blocks);
    for (size_t cut = 0; cut <= sizeof text - 5; cut++) {
        struct intake intake = {NULL, NULL};
        const struct http_message *message;
        struct slice rest;
        enum h1_result result = H1_MORE;
        if (cut > 0 && cut < sizeof text - 5) {
            char *piece = malloc(cut); /* gone before the rest comes */
            memcpy(piece, text, cut);
            result = intake_feed(&intake, &blocks, scratch, &rules, slice_of(piece, cut),
                                 &message, &rest);
            free(piece);
            assert_int_equal(result, H1_MORE);
            memset(scratch, 0x5a, sizeof *scratch); /* others use it meanwhile */
        } else {
            cut = cut == 0 ? 0 : sizeof text - 5;
        }
        size_t from = cut == sizeof text - 5 ? 0 : cut;
        result =
            intake_feed(&intake, &blocks, scratch, &rules,
                        slice_of(text + from, sizeof text - 1 - from), &message, &rest);
        assert_int_equal(result, H1_DONE);
        assert_int_equal(message->header_count, 3);
        assert_true(slice_equal(message->path, SLICE("/a/b")));
        assert_true(slice_equal(message->headers[2].value, SLICE("two words")));
        assert_true(slice_equal(rest, SLICE("rest")));
        intake_reset(&intake, &blocks);
    }
    assert_int_equal(blocks.used_bytes, 0);
    blocks_deinit(&blocks);
    free(scratch);
}

static void a_head_over_the_limit_is_refused_also_in_pieces(void **state)
{
    struct blocks blocks;
    struct intake intake = {NULL, NULL};
    struct intake_head *scratch = malloc(sizeof *scratch);
    const struct http_message *message;
    struct slice rest;
    enum h1_result result;
    (void)state;
    blocks_init(&blocks);
    result = intake_feed(&intake, &blocks, scratch, &rules,
                         SLICE("GET / HTTP/1.1\r\nHost: a\r\nX: "), &message, &rest);
    for (int i = 0; i < 10000 && result == H1_MORE; i++)
        result = intake_feed(&intake, &blocks, scratch, &rules, SLICE("xxxxxxxx"), &message,
                             &rest);
    assert_int_equal(result, H1_HEADER_TOO_LARGE);
    intake_reset(&intake, &blocks);
    assert_int_equal(blocks.used_bytes, 0);
    blocks_deinit(&blocks);
    free(scratch);
}

static uint64_t passed_ms;

static void on_passed(struct deadline *deadline, uint64_t now_ms)
{
    (void)deadline;
    passed_ms = now_ms;
}

static void a_deadline_moved_later_fires_once_and_in_time(void **state)
{
    struct loop loop = {.uv = NULL}; /* not open: only its wheel is used */
    struct deadline deadline;
    (void)state;
    wheel_init(&loop.wheel, 0);
    deadline_init(&deadline, &loop, on_passed);
    passed_ms = 0;
    deadline_set(&deadline, 100);
    deadline_set(&deadline, 5000); /* the wheel still holds 100 */
    wheel_run(&loop.wheel, 4999);
    assert_int_equal(passed_ms, 0);
    wheel_run(&loop.wheel, 5000);
    assert_int_equal(passed_ms, 5000);
    deadline_set(&deadline, 9000);
    deadline_set(&deadline, 6000); /* sooner: the wheel is touched */
    wheel_run(&loop.wheel, 6000);
    assert_int_equal(passed_ms, 6000);
    passed_ms = 0;
    deadline_set(&deadline, 7000);
    deadline_set(&deadline, UINT64_MAX);
    wheel_run(&loop.wheel, 20000);
    assert_int_equal(passed_ms, 0);
    deadline_stop(&deadline);
    assert_int_equal(loop.wheel.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_used_again),
        cmocka_unit_test(a_block_grows_to_its_limit_and_no_further),
        cmocka_unit_test(a_head_cut_anywhere_is_the_same_head),
        cmocka_unit_test(a_head_over_the_limit_is_refused_also_in_pieces),
        cmocka_unit_test(a_deadline_moved_later_fires_once_and_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
