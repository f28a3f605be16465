/* The cast of the net/ tests: a loop that runs until a condition holds, and a
 * cluster's CA with a node and an admin. Include after cmocka's headers. */
#ifndef GW_TESTS_UNIT_NET_CAST_H
#define GW_TESTS_UNIT_NET_CAST_H

#include "base/instant.h"
#include "net/listener.h"
#include "net/tls.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define CAST_LIMIT_MS 20000

static inline void cast_wake(uv_timer_t *timer)
{
    (void)timer;
}

static inline void cast_timer_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

/* Runs the loop until `condition`; fails the test when that takes too long. */
#define cast_until(loop, condition)                                  \
    do {                                                             \
        uv_timer_t cast_timer_;                                      \
        uint64_t cast_end_ = instant_monotonic_ms() + CAST_LIMIT_MS; \
        uv_timer_init((loop), &cast_timer_);                         \
        cast_timer_.data = &cast_timer_;                             \
        uv_timer_start(&cast_timer_, cast_wake, 5, 5);               \
        while (!(condition)) {                                       \
            if (instant_monotonic_ms() >= cast_end_)                 \
                fail_msg("never came true: %s", #condition);         \
            uv_run((loop), UV_RUN_ONCE);                             \
        }                                                            \
        uv_close((uv_handle_t *)&cast_timer_, cast_timer_closed);    \
        while (cast_timer_.data != NULL)                             \
            uv_run((loop), UV_RUN_NOWAIT);                           \
    } while (0)

struct cast {
    char cluster_id[IDENTITY_CLUSTER_SIZE];
    EVP_PKEY *ca_key;
    X509 *ca;
    EVP_PKEY *node_key; /* node 1 */
    X509 *node;
    EVP_PKEY *admin_key; /* "ann" */
    X509 *admin;
};

static inline void cast_sign(struct cast *cast, struct identity *subject,
                             EVP_PKEY **ret_key, X509 **ret_certificate)
{
    struct error err;
    struct slice items[] = {SLICE("localhost"), SLICE("127.0.0.1")};
    struct certificate_names names = {items, 2};

    memcpy(subject->cluster_id, cast->cluster_id, sizeof cast->cluster_id);
    assert_int_equal(key_generate(ret_key, &err), GW_OK);
    assert_int_equal(certificate_sign(cast->ca, cast->ca_key, *ret_key, subject, &names, 0,
                                      instant_wall_ms(), ret_certificate, &err),
                     GW_OK);
}

static inline void cast_init(struct cast *cast)
{
    struct error err;
    struct identity node = {.kind = IDENTITY_NODE, .node_id = 1};
    struct identity admin = {.kind = IDENTITY_ADMIN, .name = "ann"};

    signal(SIGPIPE, SIG_IGN);
    identity_make_cluster_id(cast->cluster_id);
    assert_int_equal(key_generate(&cast->ca_key, &err), GW_OK);
    assert_int_equal(certificate_make_ca(cast->ca_key, cast->cluster_id, instant_wall_ms(),
                                         &cast->ca, &err),
                     GW_OK);
    cast_sign(cast, &node, &cast->node_key, &cast->node);
    cast_sign(cast, &admin, &cast->admin_key, &cast->admin);
}

static inline void cast_deinit(struct cast *cast)
{
    certificate_free(cast->ca);
    certificate_free(cast->node);
    certificate_free(cast->admin);
    key_free(cast->ca_key);
    key_free(cast->node_key);
    key_free(cast->admin_key);
}

/* A listener on a free port of 127.0.0.1, and that port's address as text. */
static inline int cast_listen(char *out)
{
    struct error err;
    struct address address;
    int fd;

    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &fd, &err), GW_OK);
    assert_true(address_of_socket(fd, &address));
    address_format(&address, out);
    return fd;
}

#endif
