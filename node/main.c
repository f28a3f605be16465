/* gwd: one node of the gateway.
 *
 * Settings → environment → last configuration served → member → admin and status
 * listeners: in that order, so that a node alone serves at once, and whatever is
 * wrong with the start is one line and an exit code (INTERFACES.md, "Node"). The
 * only place that sees both the control side and the data side. */
#include "base/instant.h"
#include "base/log.h"
#include "model/kind_cluster.h"
#include "model/units.h"
#include "node/control/control.h"
#include "node/keys.h"
#include "node/observe/access_log.h"
#include "node/proxy/worker.h"
#include "node/settings.h"
#include "raft/fsm.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_SERIES 50000

static const char usage[] =
    "usage: gwd --data-dir DIR [--config FILE]\n"
    "\n"
    "Runs the node whose data directory `gwctl cluster init` or `join` made.\n"
    "\n"
    "  --data-dir DIR   the node's directory\n"
    "  --config FILE    settings of this node (default: DIR/gwd.yaml)\n"
    "  --version        print the version\n"
    "  --help           print this\n"
    "\n"
    "Signals: TERM drains, INT drains without delay, HUP reads the settings again.\n"
    "Exit: 0 drained, 1 error, 2 usage, 8 bad settings, 10 disk error (a restart may\n"
    "help), 11 data directory locked, foreign, damaged or of a newer format (it will\n"
    "not).\n";

struct node {
    char data_dir[4096], config[4096], admin_socket[4096];
    char backup_dir[4096]; /* empty: none */
    char peer_listen[300], peer_advertise[300], admin_listen[300], health_listen[300];
    char admin_advertise[600];
    struct identity_file identity;
    struct settings settings;
    struct bind_override *binds; /* owned; texts are the settings' */
    uv_loop_t loop;
    struct mailbox mailbox; /* what workers say */
    struct metrics *metrics;
    struct access_log *access_log;
    struct worker *workers[SETTINGS_WORKERS_MAX];
    unsigned worker_count;
    struct control *control;
};

/* ---- arguments ---- */

enum { GO_ON = -1 };

static bool take_option(int argc, char **argv, int *at, const char *name, const char **ret)
{
    size_t size = strlen(name);

    if (strncmp(argv[*at], name, size) != 0)
        return false;
    if (argv[*at][size] == '=') {
        *ret = argv[*at] + size + 1;
        return true;
    }
    if (argv[*at][size] != '\0')
        return false;
    *ret = *at + 1 < argc ? argv[++*at] : "";
    return true;
}

static int parse_arguments(int argc, char **argv, struct node *node)
{
    const char *data_dir = NULL, *config = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("gwd " CONTROL_VERSION);
            return 0;
        }
        if (take_option(argc, argv, &i, "--data-dir", &data_dir) ||
            take_option(argc, argv, &i, "--config", &config))
            continue;
        fprintf(stderr, "gwd: unknown argument '%s'\nnext: gwd --help\n", argv[i]);
        return 2;
    }
    if (data_dir == NULL || data_dir[0] == '\0' || (config != NULL && config[0] == '\0')) {
        fputs(data_dir == NULL || data_dir[0] == '\0'
                  ? "gwd: --data-dir is needed\nnext: gwd --help\n"
                  : "gwd: --config needs a file\nnext: gwd --help\n",
              stderr);
        return 2;
    }
    if (strlen(data_dir) > sizeof node->data_dir - 64) {
        fputs("gwd: the path of the data directory is too long\n", stderr);
        return 2;
    }
    snprintf(node->data_dir, sizeof node->data_dir, "%s", data_dir);
    if (config != NULL)
        snprintf(node->config, sizeof node->config, "%s", config);
    else
        snprintf(node->config, sizeof node->config, "%.4000s/gwd.yaml", data_dir);
    return GO_ON;
}

/* ---- the process ---- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Large configurations are decoded and compiled on pool threads, whose own arenas of
 * glibc grow a page and a system call at a time: 10,000 routes then cost the leader
 * half a second of those alone. One arena that grows by megabytes has no such price,
 * and its lock none either, since nothing on the request path allocates. */
static void tune_allocator(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, 1 << 20);
#endif
}

/* The service manager's socket, where there is one (sd_notify(3)). */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
        log_event(LOG_DEBUG, "main", "notify failed", LOG_STR("why", strerror(errno)));
    close(fd);
}

static void started(void *owner)
{
    (void)owner;
    notify("READY=1");
}

static void stopping(void *owner)
{
    (void)owner;
    notify("STOPPING=1");
}

/* ---- settings ---- */

static void print_problems(const struct problems *problems)
{
    struct buffer out;

    buffer_init(&out, 1u << 20);
    problems_print(problems, &out, NULL, NULL);
    fwrite(out.data, 1, out.size, stderr);
    buffer_deinit(&out);
}

static bool make_binds(const struct settings *settings, struct bind_override **ret_binds)
{
    size_t count = settings->document.listeners.count;
    struct bind_override *binds = calloc(count + 1, sizeof *binds);

    if (binds == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        binds[i].listener = settings->document.listeners.items[i].name;
        binds[i].bind = settings->document.listeners.items[i].value;
    }
    *ret_binds = binds;
    return true;
}

static void copy(char *out, size_t size, struct slice text)
{
    snprintf(out, size, "%.*s", SLICE_ARG(text));
}

/* A socket path in the settings is relative to the data directory. */
static void place_socket(struct node *node)
{
    struct slice path = node->settings.document.admin.socket;

    if (path.size == 0)
        path = SLICE("admin.sock");
    if (path.data[0] == '/')
        copy(node->admin_socket, sizeof node->admin_socket, path);
    else
        snprintf(node->admin_socket, sizeof node->admin_socket, "%.3500s/%.*s",
                 node->data_dir, SLICE_ARG(path));
}

/* Likewise the directory of backups. */
static void place_backups(struct node *node)
{
    struct slice path = node->settings.document.backup.dir;

    if (path.size == 0)
        return;
    if (path.data[0] == '/')
        copy(node->backup_dir, sizeof node->backup_dir, path);
    else
        snprintf(node->backup_dir, sizeof node->backup_dir, "%.3500s/%.*s", node->data_dir,
                 SLICE_ARG(path));
}

static enum result load_settings(struct node *node, struct error *err)
{
    char path[4200];
    struct problems problems;
    struct stat stat_buffer;

    if (stat(node->data_dir, &stat_buffer) != 0)
        return error_set(err, GW_FOREIGN,
                         "open '%s': %s: make it by gwctl cluster init or join",
                         node->data_dir, strerror(errno));
    snprintf(path, sizeof path, "%s/identity", node->data_dir);
    enum result result = identity_file_read(path, &node->identity, err);
    if (result == GW_NOT_FOUND)
        return error_set(
            err, GW_FOREIGN,
            "'%s' is no node's data directory (there is no identity in it): make "
            "one by gwctl cluster init or join",
            node->data_dir);
    if (result != GW_OK)
        return result;
    problems_init(&problems);
    result =
        settings_load(node->config, true, &node->identity, &node->settings, &problems, err);
    if (problems.errors + problems.warnings != 0)
        print_problems(&problems);
    if (problems.errors != 0)
        err->text[0] = '\0'; /* all is said */
    problems_deinit(&problems);
    if (result == GW_NOT_FOUND)
        return error_set(
            err, GW_INVALID,
            "'%s' is not there; next: restore it, or write one with at least node: "
            "{name, region}",
            node->config);
    if (result != GW_OK)
        return result;
    const struct settings_document *document = &node->settings.document;
    copy(node->peer_listen, sizeof node->peer_listen, document->peer.listen);
    copy(node->peer_advertise, sizeof node->peer_advertise, document->peer.advertise);
    copy(node->admin_listen, sizeof node->admin_listen, document->admin.listen);
    copy(node->health_listen, sizeof node->health_listen, document->health.listen);
    place_socket(node);
    place_backups(node);
    host_port_outside(slice_from_string(node->admin_listen),
                      slice_from_string(node->peer_advertise), node->admin_advertise,
                      sizeof node->admin_advertise);
    log_configure((enum log_level)settings_log_level(&node->settings),
                  (enum log_format)settings_log_format(&node->settings),
                  node->identity.name);
    if (!make_binds(&node->settings, &node->binds))
        return error_set(err, GW_NO_MEMORY, "read the settings");
    return keys_check(node->data_dir, &node->identity, instant_wall_ms(), err);
}

/* HUP. The settings before live on until nothing borrows from them: they are kept,
 * which costs some kilobytes a time. */
static bool reload(void *owner, const struct bind_override **ret_binds, size_t *ret_count)
{
    struct node *node = owner;
    struct settings fresh;
    struct bind_override *binds;
    struct problems problems;
    struct error err = ERROR_NONE;

    problems_init(&problems);
    enum result result =
        settings_load(node->config, true, &node->identity, &fresh, &problems, &err);
    if (problems.errors + problems.warnings != 0)
        print_problems(&problems);
    problems_deinit(&problems);
    if (result != GW_OK || !make_binds(&fresh, &binds)) {
        log_event(LOG_ERROR, "main", "settings kept as they were",
                  LOG_STR("why", err.text));
        return false;
    }
    log_level_set((enum log_level)settings_log_level(&fresh));
    /* A compile on the pool may still read the old ones. */
    *ret_binds = node->binds = binds;
    *ret_count = fresh.document.listeners.count;
    node->settings = fresh;
    return true;
}

/* ---- the data side ---- */

static void workers_publish(void *owner, unsigned number, struct snapshot *snapshot,
                            const struct control_socket *sockets, size_t count)
{
    struct node *node = owner;
    struct worker_socket *handed = calloc(count + 1, sizeof *handed);

    if (handed == NULL) {
        snapshot_unref(snapshot);
        for (size_t i = 0; i < count; i++) {
            if (sockets[i].fd >= 0)
                close(sockets[i].fd);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(handed[i].listener, sockets[i].listener, sizeof handed[i].listener);
        handed[i].fd = sockets[i].fd;
    }
    access_log_target(node->access_log, snapshot_settings(snapshot)->access_log_file);
    worker_publish(node->workers[number], snapshot, handed, count);
    free(handed);
}

static void workers_drain(void *owner, uint32_t delay_ms, uint32_t wait_ms)
{
    struct node *node = owner;

    for (unsigned i = 0; i < node->worker_count; i++)
        worker_drain(node->workers[i], delay_ms, wait_ms);
}

static uint64_t workers_turned_ms(void *owner, unsigned number)
{
    struct node *node = owner;
    return worker_turned_ms(node->workers[number]);
}

static void worker_said(struct mail *mail, void *owner)
{
    struct node *node = owner;
    struct worker_mail *said = container_of(mail, struct worker_mail, mail);

    if (node->control != NULL && said->type == WORKER_SERVES)
        control_worker_serves(node->control, said->worker, said->revision);
    else if (node->control != NULL && said->type == WORKER_DRAINED)
        control_worker_drained(node->control, said->worker);
    free(said);
}

static enum result start_workers(struct node *node, struct error *err)
{
    unsigned count = node->settings.workers;

    if (access_log_open(count, &node->access_log, err) != GW_OK)
        return err->code;
    for (unsigned i = 0; i < count; i++) {
        const struct worker_options options = {.number = i,
                                               .count = count,
                                               .metrics = node->metrics,
                                               .control = &node->mailbox,
                                               .access_log = node->access_log,
                                               .node_name =
                                                   slice_from_string(node->identity.name)};
        if (worker_start(&options, &node->workers[i], err) != GW_OK)
            return error_wrap(err, "start worker %u", i);
        node->worker_count++;
    }
    return GW_OK;
}

/* ---- from start to end ---- */

static struct control_options options_of(struct node *node)
{
    const struct settings_document *document = &node->settings.document;

    return (struct control_options){
        .data_dir = node->data_dir,
        .identity = node->identity,
        .region = document->node.region,
        .zone = document->node.zone,
        .peer_listen = node->peer_listen,
        .peer_advertise = node->peer_advertise,
        .admin_listen = node->admin_listen,
        .admin_advertise = node->admin_advertise,
        .admin_socket = node->admin_socket,
        .admin_socket_mode = node->settings.socket_mode,
        .health_listen = node->health_listen,
        .metrics_from = document->health.metrics_from.items,
        .metrics_from_count = document->health.metrics_from.count,
        .binds = node->binds,
        .bind_count = document->listeners.count,
        .fence = document->fence < 0                 ? CONTROL_FENCE_CLUSTER
                 : document->fence == FENCE_MINORITY ? CONTROL_FENCE_MINORITY
                                                     : CONTROL_FENCE_NONE,
        .exit_on_disk_error = document->on_disk_error == DISK_ERROR_EXIT,
        .map_size = document->store.map_size,
        .min_free = document->store.min_free,
        .backup_dir = node->backup_dir[0] != '\0' ? node->backup_dir : NULL,
        .backup_every_ms = document->backup.every_ms,
        .backup_keep = (uint64_t)document->backup.keep,
        .drain_delay_ms = (uint32_t)document->drain.delay_ms,
        .drain_wait_ms = (uint32_t)document->drain.wait_ms,
        .commands = cluster_commands,
        .command_count = cluster_command_count,
        .metrics = node->metrics,
        .reload = reload,
        .owner = node,
        .started = started,
        .stopping = stopping};
}

static enum result serve(struct node *node, struct error *err)
{
    const struct control_options options = options_of(node);

    if (control_open(&node->loop, &options, &node->control, err) != GW_OK)
        return err->code;
    /* Only now: a control that fails to open runs the loop until it is empty. */
    if (mailbox_open(&node->mailbox, &node->loop, worker_said, node, err) != GW_OK ||
        start_workers(node, err) != GW_OK)
        return err->code;
    const struct control_side side = {.owner = node,
                                      .workers = node->worker_count,
                                      .publish = workers_publish,
                                      .drain = workers_drain,
                                      .turned_ms = workers_turned_ms};
    control_side_set(node->control, &side);
    return control_run(node->control, err);
}

/* USR2 will hand the listening sockets to a new binary; until then it must not end the
 * node. */
static void refuse_upgrade(int number)
{
    static const char text[] =
        "gwd: SIGUSR2: upgrade by handing sockets over is not in this "
        "version; the node goes on\n";

    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
}

static enum result run(struct node *node, struct error *err)
{
    tune_allocator();
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, refuse_upgrade);
    if (uv_loop_init(&node->loop) != 0)
        return error_set(err, GW_NO_MEMORY, "make a loop");
    node->metrics = metrics_new(MAX_SERIES);
    if (node->metrics == NULL)
        return error_set(err, GW_NO_MEMORY, "make the metrics");
    serve(node, err);
    for (unsigned i = 0; i < node->worker_count; i++)
        worker_stop(node->workers[i]);
    access_log_close(node->access_log);
    mailbox_close(&node->mailbox, NULL);
    struct control *control = node->control;
    node->control = NULL;
    control_close(control);
    uv_run(&node->loop, UV_RUN_DEFAULT);
    uv_loop_close(&node->loop);
    metrics_free(node->metrics);
    return err->code;
}

/* 10 and 11 speak of disk and data; all else that ends a start is 1. */
static int exit_code(enum result result)
{
    switch (result) {
    case GW_OK:
        return 0;
    case GW_IO:
    case GW_HALTED:
        return 10;
    case GW_DAMAGED:
    case GW_LOCKED:
    case GW_FOREIGN:
    case GW_NEWER:
        return 11;
    default:
        return 1;
    }
}

int main(int argc, char **argv)
{
    static struct node node;
    struct error err = ERROR_NONE;

    int code = parse_arguments(argc, argv, &node);
    if (code != GO_ON)
        return code;
    enum result result = load_settings(&node, &err);
    if (result != GW_OK) {
        if (err.text[0] != '\0')
            fprintf(stderr, "gwd: %s\n", err.text);
        return result == GW_INVALID || result == GW_MALFORMED ? 8 : exit_code(result);
    }
    result = run(&node, &err);
    if (result != GW_OK)
        fprintf(stderr, "gwd: %s\n", err.text);
    settings_deinit(&node.settings);
    free(node.binds);
    return exit_code(result);
}
