/* The cast of the proxy's tests: an origin (origin.h), a client (visitor.h), and between
 * them a worker serving what a YAML text says. */
#ifndef GW_TESTS_PROXY_CAST_H
#define GW_TESTS_PROXY_CAST_H

#include "base/list.h"
#include "model/source.h"
#include "node/board/board.h"
#include "node/proxy/worker.h"
#include "tests/unit/node/proxy/origin.h"
#include "tests/unit/node/proxy/visitor.h"

#include <signal.h>

struct gateway {
    struct board *board;
    struct metrics *metrics;
    struct worker *worker;
    uint16_t port;
    uv_loop_t loop; /* of the control side, run by hand */
    struct mailbox control;
    uint64_t serves; /* revision said last */
    bool drained;
};

static void gateway_mail(struct mail *mail, void *owner)
{
    struct gateway *gateway = owner;
    struct worker_mail *from = container_of(mail, struct worker_mail, mail);
    if (from->type == WORKER_SERVES)
        gateway->serves = from->revision;
    else
        gateway->drained = true;
    free(from);
}

/* Compiles; fails the test with the problems found. */
static struct snapshot *gateway_compile(struct gateway *gateway, const char *yaml,
                                        uint64_t revision)
{
    struct buffer shown;
    struct source source;
    struct problems problems;
    struct change change;
    struct catalog empty, catalog;
    struct snapshot *snapshot = NULL;
    struct error err = ERROR_NONE;
    size_t changed;

    buffer_init(&shown, 0);
    source_init(&source);
    problems_init(&problems);
    change_init(&change);
    catalog_init(&empty);
    source_add(&source, SLICE("test.yaml"), slice_from_string(yaml), &problems);
    source_decode(&source, &change, &problems);
    bool ok = change_validate(&change, &empty, NULL, 0, 0, SLICE("test"), &catalog,
                              &changed, &problems) &&
              !problems_failed(&problems);
    if (!ok) {
        source_print(&source, &problems, &shown);
        print_error("%.*s\n", SLICE_ARG(buffer_slice(&shown)));
    } else {
        const struct compile_options options = {.revision = revision,
                                                .node_name = SLICE("eu-1"),
                                                .node_region = SLICE("eu"),
                                                .board = gateway->board};
        ok = snapshot_compile(&catalog, &options, &snapshot, &err) == GW_OK;
        if (!ok)
            print_error("%s\n", err.text);
    }
    catalog_deinit(&catalog);
    catalog_deinit(&empty);
    change_deinit(&change);
    problems_deinit(&problems);
    source_deinit(&source);
    buffer_deinit(&shown);
    assert_true(ok);
    return snapshot;
}

static void gateway_wait_serves(struct gateway *gateway, uint64_t revision)
{
    uint64_t until_ms = instant_monotonic_ms() + 1000u * WAIT_S;
    while (gateway->serves != revision && instant_monotonic_ms() < until_ms) {
        uv_run(&gateway->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    assert_int_equal(gateway->serves, revision);
}

static void UNUSED gateway_publish(struct gateway *gateway, const char *yaml,
                                   uint64_t revision)
{
    worker_publish(gateway->worker, gateway_compile(gateway, yaml, revision), NULL, 0);
    gateway_wait_serves(gateway, revision);
}

static struct access_log *gateway_access_log UNUSED; /* for gateway_start; NULL: none */

/* The Listener of the YAML is named "http". */
static void gateway_start(struct gateway *gateway, const char *yaml)
{
    struct error err = ERROR_NONE;
    memset(gateway, 0, sizeof *gateway);
    signal(SIGPIPE, SIG_IGN);
    gateway->board = board_new();
    gateway->metrics = metrics_new(10000);
    uv_loop_init(&gateway->loop);
    assert_int_equal(
        mailbox_open(&gateway->control, &gateway->loop, gateway_mail, gateway, &err),
        GW_OK);
    const struct worker_options options = {.number = 0,
                                           .metrics = gateway->metrics,
                                           .control = &gateway->control,
                                           .access_log = gateway_access_log,
                                           .node_name = SLICE("eu-1")};
    assert_int_equal(worker_start(&options, &gateway->worker, &err), GW_OK);
    struct worker_socket socket = {.listener = "http"};
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &socket.fd, &err), GW_OK);
    gateway->port = port_of(socket.fd);
    worker_publish(gateway->worker, gateway_compile(gateway, yaml, 1), &socket, 1);
    gateway_wait_serves(gateway, 1);
}

static void gateway_stop(struct gateway *gateway)
{
    worker_stop(gateway->worker);
    mailbox_close(&gateway->control, NULL);
    uv_run(&gateway->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&gateway->loop), 0);
    metrics_free(gateway->metrics);
    board_free(gateway->board);
}

/* The value of a series, by the start of its line; 0 when there is none. */
static double UNUSED gateway_metric(struct gateway *gateway, const char *series)
{
    struct buffer out;
    double value = 0;
    buffer_init(&out, 0);
    metrics_render(gateway->metrics, &out);
    buffer_append_byte(&out, '\0');
    size_t size = strlen(series);
    for (char *line = out.data; line != NULL;
         line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1)
        if (strncmp(line, series, size) == 0 && line[size] == ' ')
            value = strtod(line + size, NULL);
    buffer_deinit(&out);
    return value;
}

/* A Listener, one Service of one endpoint, a Route for everything. */
static UNUSED const char *plain_yaml(uint16_t port)
{
    static char yaml[2048];
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
             "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec: {match: {path: {prefix: /}}, service: one}\n",
             (unsigned)port);
    return yaml;
}

#endif
