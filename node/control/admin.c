/* The admin API: who may ask, and which room answers. The UNIX socket's file
 * mode is the first gate, the cluster's CA the other; nothing is answered to
 * anybody else.
 *
 * Bodies in work are counted in bytes over all requests, so that many large ones
 * cannot take the node's memory: above the limit a request is refused, 429. */
#include "node/control/admin.h"

#include "base/log.h"
#include "net/listener.h"
#include "node/control/credentials.h"
#include "node/control/faults.h"
#include "node/control/quarantine.h"

#include <stdio.h>

#define REQUESTS_MAX 512

struct admin_route {
    const char *method;
    const char *path; /* parts; "*" takes any */
    request_fn run;
    bool is_safe; /* changes nothing, or moves leadership: also in quarantine */
};

static const struct admin_route routes[] = {
    {"POST", "v1/apply", apply_post},
    {"GET", "v1/resources/*", resources_list},
    {"GET", "v1/resources/*/*", resources_get},
    {"PUT", "v1/resources/*/*", apply_put},
    {"PATCH", "v1/resources/*/*", apply_patch},
    {"DELETE", "v1/resources/*/*", apply_delete},
    {"GET", "v1/history", history_list},
    {"POST", "v1/rollback", rollback_post},
    {"GET", "v1/watch", watch_get},
    {"GET", "v1/cluster/status", cluster_status},
    {"GET", "v1/cluster/members", cluster_members},
    {"DELETE", "v1/cluster/members/*", membership_remove},
    {"PATCH", "v1/cluster/members/*", membership_role},
    {"GET", "v1/cluster/leader", cluster_leader},
    {"POST", "v1/cluster/transfer", membership_transfer, true},
    {"POST", "v1/cluster/tokens", tokens_create},
    {"GET", "v1/cluster/tokens", tokens_list},
    {"DELETE", "v1/cluster/tokens/*", tokens_revoke},
    {"GET", "v1/cluster/upgrade", upgrade_status},
    {"POST", "v1/cluster/upgrade/finalize", upgrade_finalize},
    {"GET", "v1/cluster/faults", faults_list},
    {"POST", "v1/cluster/faults", faults_create},
    {"DELETE", "v1/cluster/faults/*", faults_delete},
    {"GET", "v1/cluster/certs", certs_list},
    {"POST", "v1/cluster/certs/rotate", certs_rotate},
    {"GET", "v1/cluster/keys", keys_status},
    {"POST", "v1/cluster/keys/rotate", keys_rotate},
    {"POST", "v1/cluster/keys/export", keys_export, true},
    {"GET", "v1/snapshot", backup_get},
    {"POST", "v1/explain", explain_post, true},
    {"GET", "v1/ready", cluster_ready},
    {"GET", "v1/version", cluster_version},
};

static bool path_matches(const struct request *request, const char *path)
{
    struct slice rest = slice_from_string(path);
    struct slice part;
    size_t i = 0;

    while (slice_next(&rest, '/', &part)) {
        if (i == request->part_count)
            return false;
        if (!slice_equal(part, SLICE("*")) && !slice_equal(part, request->parts[i]))
            return false;
        i++;
    }
    return i == request->part_count;
}

void admin_route(struct request *request)
{
    size_t used = 0;

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_matches(request, routes[i].path))
            continue;
        if (!slice_equal(request->method, slice_from_string(routes[i].method))) {
            used += (size_t)snprintf(request->allow + used, sizeof request->allow - used,
                                     "%s%s", used == 0 ? "" : ", ", routes[i].method);
            continue;
        }
        request->allow[0] = '\0';
        request->route = &routes[i];
        if (routes[i].is_safe || slice_equal(request->method, SLICE("GET")) ||
            quarantine_admits(request))
            routes[i].run(request);
        return;
    }
    if (used != 0)
        request_fail(request, GW_METHOD_NOT_ALLOWED, "'%.*s' takes %s, not %.*s",
                     SLICE_ARG(request->path), request->allow, SLICE_ARG(request->method));
    else
        request_fail(request, GW_NOT_FOUND, "the admin API has nothing at '%.*s'",
                     SLICE_ARG(request->path));
}

static void refuse(struct http_call *call, enum result code, const char *sentence)
{
    struct buffer body;
    struct error err;
    const struct http_field type = {SLICE("content-type"),
                                    SLICE("application/problem+json")};

    error_set(&err, code, "%s", sentence);
    buffer_init(&body, 4096);
    unsigned status = problem_write(&body, &err, NULL);
    http_server_reply(call, status, &type, 1, buffer_slice(&body));
    buffer_deinit(&body);
}

/* "socket" or "admin:ann"; empty: nobody that we know. */
static struct slice actor_of(const struct control *control, const struct http_call *call,
                             char *out, size_t size)
{
    if (call->transport == STREAM_UNIX)
        return SLICE("socket");
    if (call->transport != STREAM_TLS || call->identity == NULL ||
        call->identity->kind != IDENTITY_ADMIN ||
        strcmp(call->identity->cluster_id, control->options.identity.cluster_id) != 0)
        return (struct slice){0};
    snprintf(out, size, "admin:%s", call->identity->name);
    return slice_from_string(out);
}

static void handle(struct http_call *call, void *owner)
{
    struct control *control = owner;
    char text[96];
    struct slice actor = actor_of(control, call, text, sizeof text);

    if (actor.size == 0) {
        control->requests_refused++;
        refuse(call, GW_UNAUTHORISED,
               "a client certificate of an admin of this cluster is needed: gwctl context "
               "import D/admin.yaml");
        return;
    }
    if (control->request_count >= REQUESTS_MAX ||
        control->body_bytes + call->body.size > CONTROL_BODIES_MAX) {
        control->requests_refused++;
        refuse(call, GW_LIMIT, "too many requests are in work: try again in a moment");
        return;
    }
    struct request *request = request_from_call(control, call, actor);
    if (request == NULL)
        refuse(call, GW_NO_MEMORY, "take the request");
    else
        admin_route(request);
}

enum result admin_open(struct control *control, struct error *err)
{
    const struct http_server_config config = {.handler = handle,
                                              .owner = control,
                                              .body_limit = CONTROL_BODY_MAX,
                                              .server_name = "quorumgate"};
    struct tls_context *tls = NULL;
    int fd;

    if (http_server_open(control->loop, &config, &control->admin, err) != GW_OK)
        return error_wrap(err, "open the admin API");
    if (listener_open_unix(control->options.admin_socket,
                           control->options.admin_socket_mode, &fd, err) != GW_OK ||
        http_server_listen(control->admin, fd, NULL, err) != GW_OK)
        return error_wrap(err, "open the admin socket '%s'", control->options.admin_socket);
    if (control->options.admin_listen[0] == '\0')
        return GW_OK;
    if (credentials_admin_tls(control->credentials, &tls, err) != GW_OK)
        return error_wrap(err, "open the admin port");
    if (listener_open_fd(slice_from_string(control->options.admin_listen), &fd, err) ==
        GW_OK)
        http_server_listen(control->admin, fd, tls, err);
    tls_context_unref(tls);
    if (err->code != GW_OK)
        return error_wrap(err, "open the admin port '%s'", control->options.admin_listen);
    return GW_OK;
}
