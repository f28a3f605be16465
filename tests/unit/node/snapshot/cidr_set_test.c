/* Address sets: the same answers as asking every prefix in turn. */
#include "node/snapshot/cidr_set.h"

#include "base/rng.h"
#include "model/units.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void membership_is_by_prefix(void **state)
{
    (void)state;
    struct arena arena;
    struct cidr cidrs[4];
    arena_init(&arena, 0, 0);
    assert_true(cidr_parse(SLICE("10.0.0.0/8"), &cidrs[0]));
    assert_true(cidr_parse(SLICE("192.168.1.7"), &cidrs[1]));
    assert_true(cidr_parse(SLICE("2001:db8::/32"), &cidrs[2]));
    assert_true(cidr_parse(SLICE("10.1.0.0/16"), &cidrs[3]));
    const struct cidr_set *set = cidr_set_build(&arena, cidrs, 4);

    assert_int_equal(set->count, 3);
    assert_true(cidr_set_has_text(set, SLICE("10.255.0.1")));
    assert_true(cidr_set_has_text(set, SLICE("192.168.1.7")));
    assert_false(cidr_set_has_text(set, SLICE("192.168.1.8")));
    assert_false(cidr_set_has_text(set, SLICE("11.0.0.0")));
    assert_true(cidr_set_has_text(set, SLICE("::ffff:10.2.3.4")));
    assert_true(cidr_set_has_text(set, SLICE("[2001:db8::1]")));
    assert_false(cidr_set_has_text(set, SLICE("2001:db9::1")));
    assert_false(cidr_set_has_text(set, SLICE("")));
    assert_false(cidr_set_has_text(set, SLICE("10.0.0.1:80")));
    assert_false(cidr_set_has_text(NULL, SLICE("10.0.0.1")));

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    assert_true(cidr_set_has_sockaddr(set, (const struct sockaddr *)&in));
    in.sin_family = AF_UNIX;
    assert_false(cidr_set_has_sockaddr(set, (const struct sockaddr *)&in));
    assert_false(cidr_set_has_text(cidr_set_build(&arena, NULL, 0), SLICE("::1")));
    arena_deinit(&arena);
}

static void agrees_with_asking_every_prefix(void **state)
{
    (void)state;
    struct rng rng;
    struct arena arena;
    rng_init(&rng, 5);
    arena_init(&arena, 0, 0);
    for (int round = 0; round < 300; round++) {
        struct cidr cidrs[20];
        size_t count = rng_below(&rng, 20);
        for (size_t i = 0; i < count; i++) {
            bool is_v6 = rng_chance(&rng, 300);
            cidrs[i] = (struct cidr){.is_v6 = is_v6,
                                     .bits = (uint8_t)rng_below(&rng, is_v6 ? 129 : 33)};
            for (unsigned b = 0; b < (is_v6 ? 16u : 4u); b++)
                cidrs[i].address[b] = (uint8_t)rng_below(&rng, 3);
        }
        arena_reset(&arena);
        const struct cidr_set *set = cidr_set_build(&arena, cidrs, count);
        for (int q = 0; q < 100; q++) {
            uint8_t address[16];
            bool is_v6 = rng_chance(&rng, 300), wanted = false;
            for (unsigned b = 0; b < 16; b++)
                address[b] = (uint8_t)rng_below(&rng, 3);
            for (size_t i = 0; i < count; i++) {
                unsigned bits = cidrs[i].bits;
                bool same = (bool)cidrs[i].is_v6 == is_v6;
                for (unsigned bit = 0; bit < bits && same; bit++)
                    same =
                        ((cidrs[i].address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) &
                         1) == 0;
                /* ::/0 to ::ffff:0:0/96 hold all of IPv4 as well. */
                if (!is_v6 && cidrs[i].is_v6 && bits <= 96) {
                    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                                       0, 0, 0, 0, 0xff, 0xff};
                    same = true;
                    for (unsigned bit = 0; bit < bits && same; bit++)
                        same = ((cidrs[i].address[bit / 8] ^ mapped[bit / 8]) >>
                                    (7 - bit % 8) &
                                1) == 0;
                }
                wanted |= same;
            }
            assert_int_equal(cidr_set_has(set, address, is_v6), wanted);
        }
    }
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(membership_is_by_prefix),
        cmocka_unit_test(agrees_with_asking_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
