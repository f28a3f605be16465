/* The CA and what it signs. */
#include "pki/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CLUSTER "00112233445566778899aabbccddeeff"
#define NOW_MS  1900000000000ull
#define DAY_MS  86400000ull

static struct error err;
static EVP_PKEY *ca_key;
static X509 *ca;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(key_generate(&ca_key, &err), GW_OK);
    assert_int_equal(certificate_make_ca(ca_key, CLUSTER, NOW_MS, &ca, &err), GW_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    certificate_free(ca);
    key_free(ca_key);
    return 0;
}

static int verify(X509 *x, int purpose, uint64_t at_ms)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(context, store, x, NULL);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_STORE_CTX_set_time(context, 0, (time_t)(at_ms / 1000));
    int fine = X509_verify_cert(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return fine;
}

static X509 *sign(const struct identity *subject, const struct certificate_names *names)
{
    EVP_PKEY *key;
    EVP_PKEY *public_key;
    X509 *x;
    struct buffer pem;

    buffer_init(&pem, 0);
    assert_int_equal(key_generate(&key, &err), GW_OK);
    assert_int_equal(certificate_request_make(key, SLICE("me"), &pem, &err), GW_OK);
    assert_int_equal(certificate_request_read(buffer_slice(&pem), &public_key, &err),
                     GW_OK);
    assert_int_equal(
        certificate_sign(ca, ca_key, public_key, subject, names, 0, NOW_MS, &x, &err),
        GW_OK);
    assert_true(certificate_key_matches(x, key));
    assert_false(certificate_key_matches(x, ca_key));
    key_free(key);
    key_free(public_key);
    buffer_deinit(&pem);
    return x;
}

static void the_ca_signs_nodes_that_verify(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    struct identity back;
    struct slice names[] = {SLICE("gw.example"), SLICE("10.0.0.1"), SLICE("::1")};
    struct certificate_names list = {names, 3};

    (void)state;
    assert_int_equal(certificate_check_ca(ca, ca_key, &err), GW_OK);
    X509 *x = sign(&node, &list);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_SERVER, NOW_MS), 1);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_CLIENT, NOW_MS), 1);
    assert_int_equal(identity_from_certificate(x, &back, &err), GW_OK);
    assert_true(identity_equal(&node, &back));
    assert_int_equal(X509_check_host(x, "gw.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "10.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
    assert_int_equal(X509_check_host(x, "other.example", 0, 0, NULL), 0);
    certificate_free(x);
}

static void the_ca_signs_admins_that_are_no_servers(void **state)
{
    struct identity admin = {.kind = IDENTITY_ADMIN, .cluster_id = CLUSTER, .name = "ann"};
    struct identity back;

    (void)state;
    X509 *x = sign(&admin, NULL);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_CLIENT, NOW_MS), 1);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_SERVER, NOW_MS), 0);
    assert_int_equal(identity_from_certificate(x, &back, &err), GW_OK);
    assert_true(identity_equal(&admin, &back));
    certificate_free(x);
}

static void validity_begins_five_minutes_early_and_ends(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    uint64_t from_ms;
    uint64_t until_ms;

    (void)state;
    X509 *x = sign(&node, NULL);
    certificate_validity(x, &from_ms, &until_ms);
    assert_int_equal(from_ms, NOW_MS - 300000);
    assert_int_equal(until_ms, NOW_MS + CERTIFICATE_NODE_DAYS * DAY_MS);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_SERVER, NOW_MS - 299000), 1);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_SERVER, NOW_MS - 301000), 0);
    assert_int_equal(verify(x, X509_PURPOSE_SSL_SERVER, until_ms + 1000), 0);
    certificate_free(x);
}

static void a_certificate_never_outlives_its_ca(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    uint64_t from_ms;
    uint64_t until_ms;
    uint64_t ca_until_ms;
    X509 *x;

    (void)state;
    assert_int_equal(
        certificate_sign(ca, ca_key, ca_key, &node, NULL, 20000, NOW_MS, &x, &err), GW_OK);
    certificate_validity(x, &from_ms, &until_ms);
    certificate_validity(ca, &from_ms, &ca_until_ms);
    assert_int_equal(until_ms, ca_until_ms);
    certificate_free(x);
}

static void a_request_with_a_broken_signature_is_refused(void **state)
{
    EVP_PKEY *key;
    EVP_PKEY *public_key = NULL;
    struct buffer pem;
    unsigned refused = 0;

    (void)state;
    buffer_init(&pem, 0);
    assert_int_equal(key_generate(&key, &err), GW_OK);
    assert_int_equal(certificate_request_make(key, SLICE("me"), &pem, &err), GW_OK);
    for (size_t i = 0; i < pem.size; i++) {
        char kept = pem.data[i];
        if (kept == '\n' || kept == '-')
            continue;
        pem.data[i] = kept == 'A' ? 'B' : 'A';
        enum result result =
            certificate_request_read(buffer_slice(&pem), &public_key, &err);
        if (result == GW_OK) {
            key_free(public_key); /* only bits that the last digit drops */
        } else {
            assert_true(result == GW_MALFORMED || result == GW_INVALID);
            refused++;
        }
        pem.data[i] = kept;
    }
    assert_true(refused > 300);
    assert_int_equal(certificate_request_read(SLICE("x"), &public_key, &err), GW_MALFORMED);
    assert_int_equal(certificate_request_read(SLICE(""), &public_key, &err), GW_MALFORMED);
    buffer_deinit(&pem);
    key_free(key);
}

static void names_that_are_none_are_refused(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    struct slice name = SLICE("a,URI:gw://" CLUSTER "/admin/eve");
    struct certificate_names list = {&name, 1};
    X509 *x;

    (void)state;
    assert_int_equal(
        certificate_sign(ca, ca_key, ca_key, &node, &list, 0, NOW_MS, &x, &err),
        GW_INVALID);
    node.node_id = 0;
    assert_int_equal(certificate_sign(ca, ca_key, ca_key, &node, NULL, 0, NOW_MS, &x, &err),
                     GW_INVALID);
}

static void keys_and_certificates_come_back_from_pem(void **state)
{
    struct buffer pem;
    EVP_PKEY *key;
    X509 *x;
    uint8_t a[CERTIFICATE_SHA256_SIZE];
    uint8_t b[CERTIFICATE_SHA256_SIZE];

    (void)state;
    buffer_init(&pem, 0);
    assert_int_equal(key_to_pem(ca_key, &pem, &err), GW_OK);
    assert_int_equal(key_from_pem(buffer_slice(&pem), &key, &err), GW_OK);
    assert_true(certificate_key_matches(ca, key));
    assert_true(key_is_p256(key));
    key_free(key);
    key_buffer_wipe(&pem);

    buffer_init(&pem, 0);
    assert_int_equal(certificate_to_pem(ca, &pem, &err), GW_OK);
    assert_int_equal(certificate_from_pem(buffer_slice(&pem), &x, &err), GW_OK);
    certificate_sha256(ca, a);
    certificate_sha256(x, b);
    assert_memory_equal(a, b, sizeof a);
    certificate_free(x);
    buffer_deinit(&pem);

    assert_int_equal(key_from_pem(SLICE("nothing"), &key, &err), GW_MALFORMED);
    assert_int_equal(certificate_from_pem(SLICE("nothing"), &x, &err), GW_MALFORMED);
}

static void a_node_certificate_is_no_ca(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    X509 *x;

    (void)state;
    assert_int_equal(certificate_sign(ca, ca_key, ca_key, &node, NULL, 0, NOW_MS, &x, &err),
                     GW_OK);
    assert_int_equal(certificate_check_ca(x, ca_key, &err), GW_INVALID);
    certificate_free(x);
}

struct seen {
    char text[256];
};

static void see(void *owner, struct slice name)
{
    struct seen *seen = owner;
    size_t size = strlen(seen->text);

    snprintf(seen->text + size, sizeof seen->text - size, "%.*s ", SLICE_ARG(name));
}

static void a_certificate_says_what_it_is(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .cluster_id = CLUSTER, .node_id = 3};
    const struct slice items[] = {SLICE("localhost"), SLICE("127.0.0.1"), SLICE("::1")};
    const struct certificate_names names = {items, 3};
    char serial[CERTIFICATE_SERIAL_SIZE], name[64];
    struct seen seen = {""};
    X509 *x, *other;
    EVP_PKEY *other_key;

    (void)state;
    assert_int_equal(
        certificate_sign(ca, ca_key, ca_key, &node, &names, 0, NOW_MS, &x, &err), GW_OK);
    certificate_serial(x, serial);
    assert_int_equal(strlen(serial), 32);
    assert_int_equal(strspn(serial, "0123456789abcdef"), 32);
    certificate_each_name(x, see, &seen);
    assert_string_equal(seen.text, "localhost 127.0.0.1 ::1 ");
    certificate_common_name(x, name, sizeof name);
    assert_string_equal(name, "node 3");
    assert_true(certificate_is_signed_by(x, ca));
    assert_int_equal(key_generate(&other_key, &err), GW_OK);
    assert_int_equal(certificate_make_ca(other_key, CLUSTER, NOW_MS, &other, &err), GW_OK);
    assert_false(certificate_is_signed_by(x, other));
    certificate_free(x);
    certificate_free(other);
    key_free(other_key);
}

static void a_bundle_is_one_or_two_certificates(void **state)
{
    struct certificate_bundle bundle;
    struct buffer pem;

    (void)state;
    buffer_init(&pem, 0);
    assert_int_equal(certificate_bundle_from_pem(SLICE("nothing"), &bundle, &err),
                     GW_MALFORMED);
    for (size_t count = 1; count <= CERTIFICATE_BUNDLE_MAX; count++) {
        assert_int_equal(certificate_to_pem(ca, &pem, &err), GW_OK);
        assert_int_equal(certificate_bundle_from_pem(buffer_slice(&pem), &bundle, &err),
                         GW_OK);
        assert_int_equal(bundle.count, count);
        assert_true(certificate_is_signed_by(ca, bundle.items[count - 1]));
        certificate_bundle_deinit(&bundle);
    }
    assert_int_equal(certificate_to_pem(ca, &pem, &err), GW_OK);
    assert_int_equal(certificate_bundle_from_pem(buffer_slice(&pem), &bundle, &err),
                     GW_MALFORMED);
    buffer_deinit(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ca_signs_nodes_that_verify),
        cmocka_unit_test(the_ca_signs_admins_that_are_no_servers),
        cmocka_unit_test(validity_begins_five_minutes_early_and_ends),
        cmocka_unit_test(a_certificate_never_outlives_its_ca),
        cmocka_unit_test(a_request_with_a_broken_signature_is_refused),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(keys_and_certificates_come_back_from_pem),
        cmocka_unit_test(a_node_certificate_is_no_ca),
        cmocka_unit_test(a_certificate_says_what_it_is),
        cmocka_unit_test(a_bundle_is_one_or_two_certificates),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
