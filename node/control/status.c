/* The status listener: plain HTTP for load balancers, orchestrators and
 * Prometheus. Read-only, and says nothing of routes or consumers.
 *
 * /livez asks whether the loops turn, never Raft; /readyz stays ready without a
 * leader, since traffic is served as before. */
#include "model/units.h"
#include "net/listener.h"
#include "node/control/room.h"

#include <stdio.h>

#define STALL_MS 10000 /* a loop that has not turned for so long is not alive */

static void reply(struct http_call *call, unsigned status, const char *type,
                  struct slice body)
{
    const struct http_field fields[] = {{SLICE("content-type"), slice_from_string(type)},
                                        {SLICE("cache-control"), SLICE("no-store")}};
    http_server_reply(call, status, fields, 2, body);
}

static void livez(struct control *control, struct http_call *call)
{
    uint64_t now_ms = control_now_ms(control);
    bool alive = true;

    for (unsigned i = 0; control->has_side && i < control->side.workers; i++) {
        /* The workers say how long ago, the member says when. */
        alive &= control->side.turned_ms(control->side.owner, i) < STALL_MS;
    }
    uint64_t member_ms = control->member == NULL ? 0 : member_turned_ms(control->member);
    if (!control->is_halted)
        alive &= member_ms == 0 || now_ms < member_ms + STALL_MS;
    reply(call, alive ? 200 : 503, "text/plain",
          alive ? SLICE("ok\n") : SLICE("stalled\n"));
}

static bool has_word(const struct http_call *call, struct slice word)
{
    char value[16];

    return http_call_query(call, word, value, sizeof value) &&
           strcmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

static void readyz(struct control *control, struct http_call *call)
{
    struct buffer why, out;

    buffer_init(&why, 4096);
    buffer_init(&out, 8192);
    bool ready = control_is_ready(control, &why);
    if (has_word(call, SLICE("leader")) && !control_is_leader(control)) {
        buffer_printf(&why, "%snot the leader", why.size == 0 ? "" : "\n");
        ready = false;
    }
    if (has_word(call, SLICE("weight"))) {
        /* Without entry steering there is no weight yet but all or nothing. */
        buffer_printf(&out, "%u\n", ready ? 100 : 0);
    } else if (has_word(call, SLICE("verbose"))) {
        buffer_printf(&out, "node %s\nready %s\nleader %s\nrevision %llu\n",
                      control->options.identity.name, ready ? "yes" : "no",
                      control_leader(control) == 0 ? "none"
                      : control_is_leader(control) ? "this node"
                                                   : "known",
                      (unsigned long long)control->publish.served);
        struct slice rest = buffer_slice(&why), line;
        while (slice_next(&rest, '\n', &line))
            buffer_printf(&out, "reason %.*s\n", SLICE_ARG(line));
    } else if (ready) {
        buffer_append_slice(&out, SLICE("ok\n"));
    } else {
        buffer_append_slice(&out, buffer_slice(&why));
        buffer_append_byte(&out, '\n');
    }
    reply(call, ready ? 200 : 503, "text/plain", buffer_slice(&out));
    buffer_deinit(&why);
    buffer_deinit(&out);
}

static bool may_read_metrics(const struct control *control, const struct http_call *call)
{
    const struct address *peer = &call->peer;
    bool is_v6;
    const uint8_t *bytes;

    if (peer->size == 0)
        return false;
    is_v6 = peer->any.sa_family == AF_INET6;
    bytes = is_v6 ? (const uint8_t *)&peer->ip6.sin6_addr
                  : (const uint8_t *)&peer->ip4.sin_addr;
    for (size_t i = 0; i < control->options.metrics_from_count; i++) {
        if (cidr_contains(&control->options.metrics_from[i], bytes, is_v6))
            return true;
    }
    return false;
}

static void metrics(struct control *control, struct http_call *call)
{
    struct buffer out;

    if (!may_read_metrics(control, call)) {
        reply(call, 403, "text/plain", SLICE("not from here: see health.metricsFrom\n"));
        return;
    }
    gauges_update(control);
    buffer_init(&out, 64u << 20);
    metrics_render(control->options.metrics, &out);
    reply(call, out.failed ? 500 : 200, "text/plain; version=0.0.4; charset=utf-8",
          out.failed ? SLICE("out of memory\n") : buffer_slice(&out));
    buffer_deinit(&out);
}

static void handle(struct http_call *call, void *owner)
{
    struct control *control = owner;

    if (!slice_equal(call->method, SLICE("GET")) && !call->is_head)
        reply(call, 405, "text/plain", SLICE("read-only\n"));
    else if (slice_equal(call->path, SLICE("/livez")))
        livez(control, call);
    else if (slice_equal(call->path, SLICE("/readyz")))
        readyz(control, call);
    else if (slice_equal(call->path, SLICE("/metrics")))
        metrics(control, call);
    else
        reply(call, 404, "text/plain", SLICE("here are /livez, /readyz and /metrics\n"));
}

enum result status_open(struct control *control, struct error *err)
{
    const struct http_server_config config = {.handler = handle,
                                              .owner = control,
                                              .body_limit = 4096,
                                              .server_name = "quorumgate"};
    int fd;

    if (control->options.health_listen[0] == '\0')
        return GW_OK;
    if (http_server_open(control->loop, &config, &control->status, err) != GW_OK ||
        listener_open_fd(slice_from_string(control->options.health_listen), &fd, err) !=
            GW_OK ||
        http_server_listen(control->status, fd, NULL, err) != GW_OK)
        return error_wrap(err, "open the status port '%s'", control->options.health_listen);
    return GW_OK;
}
