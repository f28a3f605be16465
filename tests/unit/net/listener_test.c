/* Listening sockets: busy ports, reuse-port sets, UNIX sockets of long paths. */
#include "net/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/connect.h"
#include "tests/unit/net/cast.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct error err;

static void a_port_in_use_is_a_clear_sentence(void **state)
{
    char text[ADDRESS_TEXT_SIZE];
    char expected[128];
    int other;
    int fd = cast_listen(text);

    (void)state;
    assert_int_equal(listener_open_fd(slice_from_string(text), &other, &err), GW_LOCKED);
    snprintf(expected, sizeof expected,
             "listen on %s: address already in use; next: ", text);
    assert_memory_equal(err.text, expected, strlen(expected));
    close(fd);
    assert_int_equal(listener_open_fd(slice_from_string(text), &fd, &err), GW_OK);
    close(fd);
}

static void a_set_shares_one_port_and_a_second_set_is_refused(void **state)
{
    struct address address;
    struct address name;
    int fds[3];
    int others[2];

    (void)state;
    address_parse(SLICE("127.0.0.1:0"), &address, &err);
    assert_int_equal(listener_open_fds(&address, 3, fds, &err), GW_OK);
    assert_true(address_of_socket(fds[0], &address));
    for (int i = 1; i < 3; i++) {
        assert_true(address_of_socket(fds[i], &name));
        assert_true(address_equal(&address, &name));
    }
    assert_int_equal(listener_open_fds(&address, 2, others, &err), GW_LOCKED);
    assert_int_equal(listener_open_another(&address, others, &err), GW_OK);
    close(others[0]);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void the_wildcard_takes_both_families(void **state)
{
    struct address address;
    struct address peer;
    int fd;

    (void)state;
    address_parse(SLICE(":0"), &address, &err);
    assert_int_equal(listener_open_fds(&address, 1, &fd, &err), GW_OK);
    assert_true(address_of_socket(fd, &address));
    address_parse(SLICE("127.0.0.1:0"), &peer, &err);
    address_set_port(&peer, address_port(&address));
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(connect_whole(client, &peer.any, peer.size));
    close(client);
    close(fd);
}

static void unix_case(const char *path)
{
    struct stat st;
    int fd;
    int other;
    int client;

    assert_int_equal(listener_connect_unix(path, &client, &err), GW_UNREACHABLE);
    assert_int_equal(listener_open_unix(path, 0660, &fd, &err), GW_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(listener_connect_unix(path, &client, &err), GW_OK);
    close(client);
    assert_int_equal(listener_open_unix(path, 0660, &other, &err), GW_LOCKED);
    close(fd);
    /* Nobody answers there now: the file is stale. */
    assert_int_equal(listener_open_unix(path, 0660, &fd, &err), GW_OK);
    close(fd);
    unlink(path);
}

static void unix_sockets_are_opened_and_stale_ones_replaced(void **state)
{
    char directory[] = "/tmp/listener-test.XXXXXX";
    char path[400];
    char deep[300];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/admin.sock", directory);
    unix_case(path);

    snprintf(deep, sizeof deep, "%s/%0150d", directory, 7);
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(path, sizeof path, "%s/admin.sock", deep);
    unix_case(path);
    rmdir(deep);

    snprintf(path, sizeof path, "%s/file", directory);
    FILE *file = fopen(path, "w");
    fclose(file);
    int fd;
    assert_int_equal(listener_open_unix(path, 0660, &fd, &err), GW_LOCKED);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(directory);
}

static unsigned accepted;
static bool closed;

static void on_accept(struct listener *listener, int fd, void *owner)
{
    (void)listener, (void)owner;
    accepted++;
    close(fd);
}

static void on_closed(struct listener *listener, void *owner)
{
    (void)listener, (void)owner;
    closed = true;
}

static void a_listener_hands_descriptors_over_until_paused(void **state)
{
    uv_loop_t loop;
    struct listener listener;
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    int clients[20];

    (void)state;
    accepted = 0;
    closed = false;
    uv_loop_init(&loop);
    int fd = cast_listen(text);
    assert_true(address_of_socket(fd, &address));
    assert_int_equal(listener_open(&listener, &loop, fd, on_accept, NULL, &err), GW_OK);
    for (int i = 0; i < 20; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(connect_whole(clients[i], &address.any, address.size));
    }
    cast_until(&loop, accepted == 20);
    listener_pause(&listener);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(connect_whole(late, &address.any, address.size));
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(accepted, 20);
    listener_resume(&listener);
    cast_until(&loop, accepted == 21);
    assert_int_equal(listener.accepted_count, 21);
    listener_close(&listener, on_closed);
    cast_until(&loop, closed);
    for (int i = 0; i < 20; i++)
        close(clients[i]);
    close(late);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void out_of_descriptors_a_connection_is_dropped_and_counted(void **state)
{
    uv_loop_t loop;
    struct listener listener;
    struct address address;
    struct rlimit old;
    char text[ADDRESS_TEXT_SIZE];
    char byte;

    (void)state;
    accepted = 0;
    closed = false;
    uv_loop_init(&loop);
    int fd = cast_listen(text);
    assert_true(address_of_socket(fd, &address));
    assert_int_equal(listener_open(&listener, &loop, fd, on_accept, NULL, &err), GW_OK);
    uv_run(&loop, UV_RUN_NOWAIT);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit none = {(rlim_t)client + 1, old.rlim_max};
    assert_true(connect_whole(client, &address.any, address.size));
    setrlimit(RLIMIT_NOFILE, &none);
    cast_until(&loop, listener.failed_count > 0);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(accepted, 0);
    assert_true(recv(client, &byte, 1, 0) <= 0); /* dropped, not left waiting */
    close(client);
    listener_close(&listener, on_closed);
    cast_until(&loop, closed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_in_use_is_a_clear_sentence),
        cmocka_unit_test(a_set_shares_one_port_and_a_second_set_is_refused),
        cmocka_unit_test(the_wildcard_takes_both_families),
        cmocka_unit_test(unix_sockets_are_opened_and_stale_ones_replaced),
        cmocka_unit_test(a_listener_hands_descriptors_over_until_paused),
        cmocka_unit_test(out_of_descriptors_a_connection_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
