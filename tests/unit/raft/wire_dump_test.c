/* The codec of dumps on their way. */
#include "raft/wire_dump.h"

#include "raft/hello.h"
#include "raft/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wire_dump a_piece(void)
{
    return (struct wire_dump){.type = WIRE_DUMP_PIECE,
                              .term = 300,
                              .id = 0xfedcba9876543210,
                              .number = 7,
                              .count = 9,
                              .rest_bytes = 1000,
                              .index = 70000,
                              .label_term = 299,
                              .is_cut = true,
                              .bytes = {"some bytes", 10}};
}

static bool comes_back(const struct wire_dump *message, struct wire_dump *ret_again)
{
    struct buffer bytes, again;
    bool is_same;

    buffer_init(&bytes, 0);
    buffer_init(&again, 0);
    assert_true(wire_dump_encode(&bytes, message));
    assert_true(wire_is_dump(buffer_slice(&bytes)));
    is_same = wire_dump_decode(buffer_slice(&bytes), ret_again) &&
              wire_dump_encode(&again, ret_again) &&
              slice_equal(buffer_slice(&bytes), buffer_slice(&again));
    buffer_deinit(&again);
    buffer_deinit(&bytes);
    return is_same;
}

static void every_message_comes_back_the_same(void **state)
{
    struct wire_dump piece = a_piece(), again;
    struct wire_dump ack = {.type = WIRE_DUMP_ACK,
                            .term = 3,
                            .id = 1,
                            .number = 5,
                            .count = 5,
                            .is_full = true};

    (void)state;
    assert_true(comes_back(&piece, &again));
    assert_int_equal(again.number, 7);
    assert_int_equal(again.rest_bytes, 1000);
    assert_true(again.is_cut);
    assert_true(comes_back(&ack, &again));
    assert_int_equal(again.number, 5);
    assert_true(again.is_full);
    assert_false(again.is_lost);
}

/* As in wire_test.c: these bytes change only together with PEER_PROTOCOL. */
static void the_bytes_are_those_of_the_protocol(void **state)
{
    struct wire_dump piece = a_piece();
    struct wire_dump ack = {.type = WIRE_DUMP_ACK,
                            .term = 3,
                            .id = 1,
                            .number = 5,
                            .count = 5,
                            .is_full = true};
    struct buffer bytes;
    char text[512];

    (void)state;
    assert_int_equal(PEER_PROTOCOL, 2);
    buffer_init(&bytes, 0);
    assert_true(wire_dump_encode(&bytes, &piece));
    slice_to_hex(buffer_slice(&bytes), text);
    assert_string_equal(
        text, "9c0120cd012ccffedcba98765432100709cd03e8ce00011170cd012bc3c40a736f6d6520"
              "6279746573cf7a87952ddb5464e6");
    buffer_reset(&bytes);
    assert_true(wire_dump_encode(&bytes, &ack));
    slice_to_hex(buffer_slice(&bytes), text);
    assert_string_equal(text, "98012103cf00000000000000010505c2c3");
    buffer_deinit(&bytes);
}

static void what_cannot_be_is_malformed(void **state)
{
    struct wire_dump piece, again;

    (void)state;
    piece = a_piece();
    piece.number = 9; /* of 0 … 8 */
    assert_false(comes_back(&piece, &again));
    piece = a_piece();
    piece.id = 0;
    assert_false(comes_back(&piece, &again));
    piece = a_piece();
    piece.bytes.size = 0;
    assert_false(comes_back(&piece, &again));
    piece = a_piece();
    piece.rest_bytes = 9; /* less than this one */
    assert_false(comes_back(&piece, &again));
    piece = a_piece();
    piece.index = 0;
    assert_false(comes_back(&piece, &again));
    piece = a_piece();
    piece.label_term = 301; /* later than the sender's */
    assert_false(comes_back(&piece, &again));
}

static void nothing_may_be_cut_lengthened_or_changed(void **state)
{
    struct wire_dump piece = a_piece(), again;
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 0);
    assert_true(wire_dump_encode(&bytes, &piece));
    for (size_t size = 0; size < bytes.size; size++) {
        char *copy = malloc(size > 0 ? size : 1); /* so that a sanitizer sees more */
        assert_non_null(copy);
        memcpy(copy, bytes.data, size);
        assert_false(wire_dump_decode(slice_of(copy, size), &again));
        free(copy);
    }
    /* The bytes and their place in the dump are under the sum. */
    for (size_t at = bytes.size - 20; at < bytes.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[at] ^= (char)(1 << bit);
            assert_false(wire_dump_decode(buffer_slice(&bytes), &again));
            bytes.data[at] ^= (char)(1 << bit);
        }
    buffer_append_byte(&bytes, 0);
    assert_false(wire_dump_decode(buffer_slice(&bytes), &again));
    buffer_deinit(&bytes);
}

static void a_raft_message_is_none_of_them(void **state)
{
    struct wire_message message = {.raft.type = RAFT_TIMEOUT_NOW,
                                   .raft.timeout_now = {.term = 1}};
    struct wire_dump dump;
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 0);
    assert_true(wire_encode(&bytes, &message));
    assert_false(wire_is_dump(buffer_slice(&bytes)));
    assert_false(wire_dump_decode(buffer_slice(&bytes), &dump));
    assert_false(wire_is_dump(slice_of("", 0)));
    buffer_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_the_same),
        cmocka_unit_test(the_bytes_are_those_of_the_protocol),
        cmocka_unit_test(what_cannot_be_is_malformed),
        cmocka_unit_test(nothing_may_be_cut_lengthened_or_changed),
        cmocka_unit_test(a_raft_message_is_none_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
