/* What is compressed comes out again, in whatever pieces it goes in. */
#include "http/gzip.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#define SIZE 300000

static char text[SIZE], packed[2 * SIZE], unpacked[SIZE + 1];

/* Unpacks; as far as it goes when the end is not there yet. */
static size_t unpack(size_t packed_size)
{
    z_stream stream = {.next_in = (Bytef *)packed,
                       .avail_in = (uInt)packed_size,
                       .next_out = (Bytef *)unpacked,
                       .avail_out = sizeof unpacked};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    int rc = inflate(&stream, Z_SYNC_FLUSH);
    assert_true(rc == Z_OK || rc == Z_STREAM_END);
    inflateEnd(&stream);
    return sizeof unpacked - stream.avail_out;
}

static size_t pack(struct gzip *gzip, struct slice input, enum gzip_flush flush, char *out,
                   size_t room)
{
    size_t size = 0, got;
    bool all;
    do {
        all = gzip_write(gzip, &input, flush, out + size, room, &got);
        size += got;
    } while (!all);
    assert_int_equal(input.size, 0);
    return size;
}

static void pieces_come_out_again(void **state)
{
    (void)state;
    struct rng rng;
    struct gzip *gzip = gzip_new();
    assert_non_null(gzip);
    rng_init(&rng, 3);
    for (int turn = 0; turn < 6; turn++) { /* the same one, over and over */
        bool is_noise = turn % 2 == 1;
        for (size_t i = 0; i < SIZE; i++)
            text[i] = is_noise ? (char)rng_next(&rng) : (char)('a' + rng_below(&rng, 4));
        gzip_begin(gzip, 1 + turn);
        size_t at = 0, size = 0;
        while (at < SIZE) {
            size_t part = rng_below(&rng, 40000);
            if (part > SIZE - at)
                part = SIZE - at;
            enum gzip_flush flush = rng_chance(&rng, 500) ? GZIP_FLUSH : GZIP_MORE;
            size += pack(gzip, slice_of(text + at, part), flush, packed + size, 5000);
            at += part;
            if (flush == GZIP_FLUSH)
                assert_int_equal(unpack(size), at);
        }
        size += pack(gzip, (struct slice){NULL, 0}, GZIP_FINISH, packed + size, 5000);
        assert_int_equal(unpack(size), SIZE);
        assert_memory_equal(unpacked, text, SIZE);
        if (!is_noise)
            assert_true(size < SIZE / 3);
    }
    gzip_free(gzip);
    gzip_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_out_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
