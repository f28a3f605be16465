/* The first words on a peer link: what is refused, and that the sentence says why. */
#include "raft/hello.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER "00112233445566778899aabbccddeeff"

static struct hello hello_of(uint64_t id)
{
    struct hello hello = {
        .protocol = PEER_PROTOCOL, .format = 2, .stored = 1, .epoch = 1, .id = id};

    strcpy(hello.cluster_id, CLUSTER);
    strcpy(hello.name, "eu-1");
    strcpy(hello.address, "127.0.0.1:7000");
    return hello;
}

static struct identity node_identity(uint64_t id)
{
    struct identity identity = {.kind = IDENTITY_NODE, .node_id = id};

    strcpy(identity.cluster_id, CLUSTER);
    return identity;
}

static void a_hello_survives_the_way(void **state)
{
    struct hello sent = hello_of(7), got;
    struct error err = ERROR_NONE;
    struct buffer body;

    (void)state;
    sent.class = PEER_BULK;
    strcpy(sent.lineage, "0011223344556677");
    buffer_init(&body, 4096);
    assert_true(hello_encode(&sent, &body));
    assert_int_equal(hello_decode(buffer_slice(&body), &got, &err), GW_OK);
    assert_memory_equal(&sent, &got, sizeof sent);
    buffer_deinit(&body);
}

static void a_hello_cut_short_anywhere_is_malformed(void **state)
{
    struct hello sent = hello_of(7), got;
    struct buffer body;

    (void)state;
    buffer_init(&body, 4096);
    assert_true(hello_encode(&sent, &body));
    for (size_t size = 0; size < body.size; size++) {
        struct error err = ERROR_NONE;
        /* A copy of its own, so that a read past the end is a fault. */
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, body.data, size);
        assert_int_equal(hello_decode(slice_of(copy, size), &got, &err), GW_MALFORMED);
        free(copy);
    }
    buffer_deinit(&body);
}

static void noise_never_passes_for_a_hello(void **state)
{
    struct rng rng;
    struct hello got;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        struct error err = ERROR_NONE;
        char noise[64];
        size_t size = rng_below(&rng, sizeof noise);
        for (size_t k = 0; k < size; k++)
            noise[k] = (char)rng_next(&rng);
        if (size > 0)
            noise[0] = (char)(0x80 | (noise[0] & 0x0f)); /* at least a map */
        assert_int_not_equal(hello_decode(slice_of(noise, size), &got, &err), GW_OK);
    }
}

static void whoever_is_not_who_the_certificate_says_is_refused(void **state)
{
    struct hello ours = hello_of(1), theirs = hello_of(7);
    struct identity proved = node_identity(9);
    struct error err = ERROR_NONE;

    (void)state;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FORBIDDEN);
    assert_non_null(strstr(err.text, "node 7"));
    proved = node_identity(7);
    proved.kind = IDENTITY_ADMIN;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FORBIDDEN);
    proved.kind = IDENTITY_NONE;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FORBIDDEN);
    proved = node_identity(7);
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_OK);
}

static void another_cluster_epoch_or_copy_of_this_node_is_refused(void **state)
{
    struct hello ours = hello_of(1), theirs = hello_of(7);
    struct identity proved = node_identity(7);
    struct error err = ERROR_NONE;

    (void)state;
    theirs.cluster_id[0] = 'f';
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FOREIGN);
    theirs = hello_of(7);
    theirs.epoch = 2;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FOREIGN);
    assert_non_null(strstr(err.text, "recovered without this node"));
    ours.epoch = 3;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FOREIGN);
    assert_non_null(strstr(err.text, "recovered without it"));
    ours.epoch = 2;
    strcpy(ours.lineage, "0011223344556677");
    strcpy(theirs.lineage, "0011223344556678");
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FOREIGN);
    assert_non_null(strstr(err.text, "recovered apart"));
    strcpy(theirs.lineage, ours.lineage);
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_OK);
    ours = hello_of(1);
    theirs = hello_of(1);
    proved = node_identity(1);
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_FORBIDDEN);
    assert_non_null(strstr(err.text, "copy of this data directory"));
}

static void whoever_speaks_too_old_a_protocol_is_refused_by_name(void **state)
{
    struct hello ours = hello_of(1), theirs = hello_of(2);
    struct identity proved = node_identity(2);
    struct error err = ERROR_NONE;

    (void)state;
    theirs.protocol = PEER_PROTOCOL_OLDEST;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_OK);
    theirs.protocol = PEER_PROTOCOL + 1; /* it decides whether it speaks ours */
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_OK);
    theirs.protocol = PEER_PROTOCOL_OLDEST - 1;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_NEWER);
    assert_non_null(strstr(err.text, "peer 'eu-1' (node 2) speaks protocol 1"));
    assert_non_null(strstr(err.text, "newer gwd there"));
}

static void an_older_program_is_refused_by_either_side(void **state)
{
    struct hello ours = hello_of(1), theirs = hello_of(2);
    struct identity proved = node_identity(2);
    struct error err = ERROR_NONE;

    (void)state;
    theirs.format = 1;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_OK); /* they mix */
    ours.stored = 2;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_NEWER);
    assert_non_null(strstr(err.text, "newer gwd there"));
    ours = hello_of(1);
    theirs = hello_of(2);
    theirs.stored = 3;
    assert_int_equal(hello_check(&ours, &theirs, &proved, &err), GW_NEWER);
    assert_non_null(strstr(err.text, "newer gwd here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_survives_the_way),
        cmocka_unit_test(a_hello_cut_short_anywhere_is_malformed),
        cmocka_unit_test(noise_never_passes_for_a_hello),
        cmocka_unit_test(whoever_is_not_who_the_certificate_says_is_refused),
        cmocka_unit_test(another_cluster_epoch_or_copy_of_this_node_is_refused),
        cmocka_unit_test(whoever_speaks_too_old_a_protocol_is_refused_by_name),
        cmocka_unit_test(an_older_program_is_refused_by_either_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
