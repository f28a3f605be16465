/* Sets the stage and clears it: directory, ports, upstreams, nodes, the example. */
#include "deploy/demo/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- starting --- */

bool log_says_in_use(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, "in use") != NULL || strstr(line, "EADDRINUSE") != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

struct node *reap(int *ret_status)
{
    struct node *ended = NULL;
    int status;
    pid_t pid;

    while ((pid = process_reap(&status)) > 0) {
        for (size_t i = 0; i < demo.nodes; i++)
            if (demo.node[i].pid == pid) {
                demo.node[i].pid = 0;
                ended = &demo.node[i];
                *ret_status = status;
            }
        for (size_t i = 0; i < UPSTREAMS; i++)
            if (demo.up[i].pid == pid)
                demo.up[i].pid = 0;
    }
    return ended;
}

/* Polls until the port answers; false when the process behind it ended, the time is over,
 * or we shall stop. */
static bool wait_for_port(const struct port *port, const pid_t *pid)
{
    long long end_at = now_ms() + START_MS;
    int status;

    while (now_ms() < end_at && !process_stop_wanted()) {
        reap(&status);
        if (*pid <= 0)
            return false;
        if (ports_answers(port->number))
            return true;
        process_wait_event(10);
    }
    return false;
}

static bool start_upstream(size_t index)
{
    struct upstream *up = &demo.up[index];
    char listen[64];

    text(listen, sizeof listen, "127.0.0.1:%d", up->port.number);
    ports_release(&up->port);
    const char *argv[] = {
        demo.upstream, "--listen", listen, "--name", upstream_cast[index].name, NULL};
    up->pid = process_start(argv, up->log);
    return up->pid > 0;
}

/* Makes the data directory, by init for the first node and by join for the others, then
 * starts gwd on it. */
static bool start_node(size_t index)
{
    struct node *node = &demo.node[index];
    char output[4096], peer[64], admin[64], health[64], listener[64];

    text(peer, sizeof peer, "127.0.0.1:%d", node->peer.number);
    text(admin, sizeof admin, "127.0.0.1:%d", node->admin.number);
    text(health, sizeof health, "127.0.0.1:%d", node->health.number);
    text(listener, sizeof listener, "http=127.0.0.1:%d", node->proxy.number);

    bool is_first = index == 0;
    const char *make[] = {"cluster",
                          is_first ? "init" : "join",
                          is_first ? "--cluster" : "--wait",
                          is_first ? "demo" : "30s",
                          is_first ? "--token-out" : "--token-file",
                          demo.token,
                          "--data-dir",
                          node->directory,
                          "--name",
                          cast[index].name,
                          "--region",
                          cast[index].region,
                          "--peer",
                          peer,
                          "--peer-listen",
                          peer,
                          "--admin",
                          admin,
                          "--health",
                          health,
                          "--listener",
                          listener,
                          NULL};
    if (!gwctl(output, sizeof output, make))
        return false;

    ports_release(&node->proxy);
    ports_release(&node->peer);
    ports_release(&node->admin);
    ports_release(&node->health);
    const char *argv[] = {demo.gwd, "--data-dir", node->directory, NULL};
    node->pid = process_start(argv, node->log);
    return node->pid > 0 && (index > 0 || wait_for_port(&node->peer, &node->pid));
}

static bool apply_example(void)
{
    char output[4096], endpoint[PATH_MAX + 8], voters[16];

    for (size_t i = 0; i < UPSTREAMS; i++) {
        char name[16], value[16];
        text(name, sizeof name, "GW_UP%zu", i + 1);
        text(value, sizeof value, "%d", demo.up[i].port.number);
        setenv(name, value, 1);
    }
    text(endpoint, sizeof endpoint, "unix:%s", demo.node[0].socket);
    /* Voters grow to three by default, whatever the number of nodes. */
    text(voters, sizeof voters, "%d", demo.nodes >= 3 ? 3 : 1);
    const char *wait[] = {"-e",   endpoint,    "--timeout", "30s",  "cluster",
                          "wait", "--healthy", "--voters",  voters, NULL};
    const char *apply[] = {"-e",    endpoint, "--timeout", "30s",
                           "apply", "-f",     demo.yaml,   NULL};
    /* The stand-bys become voters after a second; the example need not wait for that. Nor
     * does it wait until all serve it: the last node may not have met the leader yet, and
     * every_node_serves asks them. */
    return gwctl(output, sizeof output, apply) && gwctl(output, sizeof output, wait);
}

static bool every_node_serves(void)
{
    long long end_at = now_ms() + START_MS;
    int status;

    for (size_t i = 0; i < demo.nodes; i++)
        while (traffic_once(demo.node[i].proxy.number, route_host, route_path) != 200) {
            reap(&status);
            if (process_stop_wanted() || demo.node[i].pid == 0 || now_ms() > end_at ||
                log_says_in_use(demo.node[i].log))
                return false;
            process_wait_event(20);
        }
    return true;
}

/* The first attempt takes the usual ports where they are free, later ones any. */
static bool hold_ports(bool usual)
{
    bool all = true;

    for (size_t i = 0; i < UPSTREAMS; i++)
        all = all && ports_hold(&demo.up[i].port, usual ? 9001 + (int)i : 0);
    for (size_t i = 0; i < demo.nodes; i++) {
        struct node *node = &demo.node[i];
        int tens = (int)i * 10;
        all = all && ports_hold(&node->proxy, usual ? 8080 + (int)i : 0) &&
              ports_hold(&node->peer, usual ? 7000 + tens : 0) &&
              ports_hold(&node->admin, usual ? 7001 + tens : 0) &&
              ports_hold(&node->health, usual ? 7002 + tens : 0);
    }
    return all;
}

bool start_all(bool usual)
{
    const char *base = getenv("TMPDIR");

    text(demo.work, sizeof demo.work, "%s/quorumgate-demo.XXXXXX",
         base != NULL && *base == '/' ? base : "/tmp");
    if (mkdtemp(demo.work) == NULL) {
        fprintf(stderr, "demo: cannot make '%s': %s\n", demo.work, strerror(errno));
        demo.work[0] = '\0';
        return false;
    }
    text(demo.log, sizeof demo.log, "%s/demo.log", demo.work);
    text(demo.token, sizeof demo.token, "%s/token", demo.work);
    for (size_t i = 0; i < UPSTREAMS; i++)
        text(demo.up[i].log, sizeof demo.up[i].log, "%s/%s.log", demo.work,
             upstream_cast[i].name);
    for (size_t i = 0; i < demo.nodes; i++) {
        struct node *node = &demo.node[i];
        text(node->directory, sizeof node->directory, "%s/%s", demo.work, cast[i].name);
        text(node->log, sizeof node->log, "%s/%s.log", demo.work, cast[i].name);
        text(node->socket, sizeof node->socket, "%s/%s/admin.sock", demo.work,
             cast[i].name);
    }
    if (!hold_ports(usual)) {
        fprintf(stderr, "demo: no free loopback ports\n");
        return false;
    }
    for (size_t i = 0; i < UPSTREAMS; i++)
        if (!start_upstream(i))
            return false;
    for (size_t i = 0; i < demo.nodes; i++)
        if (!start_node(i))
            return false;
    /* Waited for only now, so that they all start at the same time. */
    for (size_t i = 0; i < UPSTREAMS; i++)
        if (!wait_for_port(&demo.up[i].port, &demo.up[i].pid))
            return false;
    for (size_t i = 0; i < demo.nodes; i++)
        if (!wait_for_port(&demo.node[i].peer, &demo.node[i].pid))
            return false;
    return apply_example() && every_node_serves();
}

/* --- ending --- */

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void end_all(void)
{
    int status;

    for (size_t i = 0; i < demo.nodes; i++)
        demo.node[i].traffic.started ? traffic_stop(&demo.node[i].traffic) : (void)0;
    reap(&status);
    /* From inside the directory the path of a socket is short, whatever TMPDIR is. */
    bool inside = demo.work[0] != '\0' && chdir(demo.work) == 0;
    for (size_t i = 0; i < demo.nodes; i++) {
        struct node *node = &demo.node[i];
        char socket[64];
        process_kill(node->pid);
        node->pid = 0;
        text(socket, sizeof socket, "%s/admin.sock", cast[i].name);
        if (inside)
            process_kill(process_behind_socket(socket, demo.gwd));
        ports_release(&node->proxy);
        ports_release(&node->peer);
        ports_release(&node->admin);
        ports_release(&node->health);
    }
    for (size_t i = 0; i < UPSTREAMS; i++) {
        process_kill(demo.up[i].pid);
        demo.up[i].pid = 0;
        ports_release(&demo.up[i].port);
    }
    if (inside && chdir("/") == 0)
        nftw(demo.work, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    demo.work[0] = '\0';
}
