/* Identities in certificates and on disk: one text for each, nothing else. */
#include "pki/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLUSTER "00112233445566778899aabbccddeeff"

static void an_identity_is_its_uri(void **state)
{
    struct identity identity;
    char uri[IDENTITY_URI_SIZE];

    (void)state;
    assert_true(identity_parse(SLICE("gw://" CLUSTER "/node/42"), &identity));
    assert_int_equal(identity.kind, IDENTITY_NODE);
    assert_int_equal(identity.node_id, 42);
    identity_format(&identity, uri);
    assert_string_equal(uri, "gw://" CLUSTER "/node/42");
    assert_string_equal(identity_describe(&identity), "node 42");

    assert_true(identity_parse(SLICE("gw://" CLUSTER "/admin/ann@x"), &identity));
    assert_int_equal(identity.kind, IDENTITY_ADMIN);
    assert_string_equal(identity.name, "ann@x");
    identity_format(&identity, uri);
    assert_string_equal(uri, "gw://" CLUSTER "/admin/ann@x");
}

static void other_uris_are_no_identity(void **state)
{
    static const char *const uris[] = {
        "",
        "gw://",
        "gw://" CLUSTER,
        "gw://" CLUSTER "/node/",
        "gw://" CLUSTER "/node/0",
        "gw://" CLUSTER "/node/01",
        "gw://" CLUSTER "/node/-1",
        "gw://" CLUSTER "/node/1/",
        "gw://" CLUSTER "/node/18446744073709551616",
        "gw://" CLUSTER "/admin/",
        "gw://" CLUSTER "/admin/a/b",
        "gw://" CLUSTER "/admin/a b",
        "gw://" CLUSTER "/root/1",
        "gw://00112233445566778899AABBCCDDEEFF/node/1",
        "gw://" CLUSTER "0/node/1",
        "gw://" CLUSTER "/admin/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct identity identity;

    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++)
        assert_false(identity_parse(slice_from_string(uris[i]), &identity));
}

static void the_identity_file_comes_back_or_is_refused(void **state)
{
    struct identity_file file = {.node_id = 7, .name = "eu-1"};
    struct identity_file back;
    struct error err;
    char path[] = "/tmp/identity-test.XXXXXX";
    char name[64];

    (void)state;
    identity_make_cluster_id(file.cluster_id);
    assert_true(identity_is_cluster_id(slice_from_string(file.cluster_id)));
    assert_non_null(mkdtemp(path));
    snprintf(name, sizeof name, "%s/identity", path);
    assert_int_equal(identity_file_read(name, &back, &err), GW_NOT_FOUND);
    assert_int_equal(identity_file_write(name, &file, &err), GW_OK);
    assert_int_equal(identity_file_read(name, &back, &err), GW_OK);
    assert_int_equal(back.node_id, 7);
    assert_string_equal(back.name, "eu-1");
    assert_string_equal(back.cluster_id, file.cluster_id);
    for (int size = 0; size < 40; size += 13) {
        assert_int_equal(truncate(name, 40 - size), 0);
        assert_int_equal(identity_file_read(name, &back, &err), GW_DAMAGED);
    }
    unlink(name);
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_is_its_uri),
        cmocka_unit_test(other_uris_are_no_identity),
        cmocka_unit_test(the_identity_file_comes_back_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
