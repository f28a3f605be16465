/* Frames: the same ones come out however the bytes are cut. */
#include "net/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

#include "base/hash.h"
#include "base/rng.h"

static const struct frame_limits limits = {.max = {[1] = 100, [2] = 70000, [3] = 1}};

struct seen {
    unsigned count;
    uint64_t digest;
    unsigned stop_at;
};

static enum result on_frame(uint8_t type, struct slice body, void *owner)
{
    struct seen *seen = owner;

    seen->digest = hash_stable_seeded(body, seen->digest * 31 + type);
    seen->count++;
    return seen->count == seen->stop_at ? GW_CLOSED : GW_OK;
}

static void frames_come_out_the_same_however_the_bytes_are_cut(void **state)
{
    struct rng rng;
    struct error err;
    char *body = calloc(1, 70000);

    (void)state;
    rng_init(&rng, 4711);
    for (int round = 0; round < 200; round++) {
        struct frame_writer writer;
        struct frame_reader reader;
        struct seen whole = {0};
        struct seen cut = {0};
        unsigned count = (unsigned)rng_between(&rng, 1, 20);

        frame_writer_init(&writer, NULL, 0);
        for (unsigned i = 0; i < count; i++) {
            uint8_t type = (uint8_t)rng_between(&rng, 1, 3);
            size_t size = rng_below(&rng, limits.max[type] + 1u);
            for (size_t b = 0; b < size && b < 64; b++)
                body[b] = (char)rng_next(&rng);
            assert_int_equal(frame_write(&writer, type, slice_of(body, size)), GW_OK);
        }
        struct slice bytes = buffer_slice(&writer.out);
        frame_reader_init(&reader, &limits);
        assert_int_equal(frame_reader_push(&reader, bytes, on_frame, &whole, &err), GW_OK);
        assert_int_equal(whole.count, count);
        frame_reader_deinit(&reader);

        frame_reader_init(&reader, &limits);
        uint64_t widest = rng_chance(&rng, 300) ? 3 : 5000;
        while (bytes.size > 0) {
            struct slice part = slice_sub(bytes, 0, rng_between(&rng, 1, widest));
            /* On the heap, so that reading past its end is seen. */
            char *copy = malloc(part.size);
            memcpy(copy, part.data, part.size);
            assert_int_equal(
                frame_reader_push(&reader, slice_of(copy, part.size), on_frame, &cut, &err),
                GW_OK);
            free(copy);
            bytes = slice_from(bytes, part.size);
        }
        assert_int_equal(cut.count, count);
        assert_true(cut.digest == whole.digest);
        frame_reader_deinit(&reader);
        frame_writer_deinit(&writer);
    }
    free(body);
}

static void refuse(const char *bytes, size_t size, size_t step)
{
    struct frame_reader reader;
    struct seen seen = {0};
    struct error err;
    enum result result = GW_OK;

    frame_reader_init(&reader, &limits);
    for (size_t i = 0; i < size && result == GW_OK; i += step)
        result = frame_reader_push(&reader, slice_sub(slice_of(bytes, size), i, step),
                                   on_frame, &seen, &err);
    assert_int_equal(result, GW_MALFORMED);
    assert_int_equal(seen.count, 0);
    assert_int_equal(reader.partial.capacity, 0);
    assert_int_equal(frame_reader_push(&reader, SLICE("x"), on_frame, &seen, &err),
                     GW_CLOSED);
    frame_reader_deinit(&reader);
}

static void unknown_types_and_long_bodies_are_refused_by_their_head(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 6; step++) {
        refuse("\0\0\0\0\0", 5, step);
        refuse("\0\0\0\1\4x", 6, step);
        refuse("\0\0\0\1\xffx", 6, step);
        refuse("\0\0\0\145\1", 5, step);
        refuse("\xff\xff\xff\xff\2", 5, step);
    }
}

static void the_receiver_may_stop_between_frames(void **state)
{
    struct frame_reader reader;
    struct seen seen = {.stop_at = 2};
    struct error err;

    (void)state;
    frame_reader_init(&reader, &limits);
    assert_int_equal(frame_reader_push(&reader, SLICE("\0\0\0\0\1\0\0\0\0\1\0\0\0\0\1"),
                                       on_frame, &seen, &err),
                     GW_CLOSED);
    assert_int_equal(seen.count, 2);
    frame_reader_deinit(&reader);
}

static void a_frame_that_does_not_fit_is_dropped_whole(void **state)
{
    struct frame_writer writer;
    char body[60] = {0};

    (void)state;
    frame_writer_init(&writer, NULL, 100);
    assert_int_equal(frame_write(&writer, 1, slice_of(body, 60)), GW_OK);
    assert_int_equal(frame_write(&writer, 1, slice_of(body, 60)), GW_LIMIT);
    assert_int_equal(frame_writer_pending(&writer), 65);
    struct buffer *out = frame_begin(&writer, 2);
    buffer_append(out, body, 20);
    assert_int_equal(frame_end(&writer), GW_OK);
    assert_int_equal(frame_writer_pending(&writer), 90);
    assert_memory_equal(writer.out.data + 65, "\0\0\0\24\2", 5);
    frame_writer_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_the_same_however_the_bytes_are_cut),
        cmocka_unit_test(unknown_types_and_long_bodies_are_refused_by_their_head),
        cmocka_unit_test(the_receiver_may_stop_between_frames),
        cmocka_unit_test(a_frame_that_does_not_fit_is_dropped_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
