/* `./run demo`: a whole cluster on loopback, and traffic to watch.
 *
 *   demo --bin DIR --examples DIR [--for 60s] [--nodes 3] [--example demo] [--json]
 *
 * The story, in order: a temporary directory, ports, upstreams, the first node, the others
 * by its token, the example applied, every node seen to serve it, URLs printed, then
 * waiting for the end of the time or for Ctrl-C. Each step is what a person would type; the
 * commands stand in demo.log of the temporary directory.
 *
 * With --json the first line on stdout is one object for scripts and everything meant for
 * people goes to stderr. A node that ends meanwhile is reported and left alone: killing one
 * is the point of the demo. A node that somebody started again on a directory of ours is
 * found by its socket and ended with the rest. */
#include "deploy/demo/ports.h"
#include "deploy/demo/process.h"
#include "deploy/demo/traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NODES_MAX = 7,
    UPSTREAMS = 3,
    ATTEMPTS = 4,
    START_MS =
        30000, /* for one step; a busy machine is slow, a broken one is not worth more */
};

static const struct {
    const char *name, *region;
} cast[NODES_MAX] = {
    {"eu-1", "eu"}, {"us-1", "us"}, {"ap-1", "ap"}, {"eu-2", "eu"},
    {"us-2", "us"}, {"ap-2", "ap"}, {"eu-3", "eu"},
};

static const struct {
    const char *name, *service;
} upstream_cast[UPSTREAMS] = {
    {"hello-1", "hello"}, {"hello-2", "hello"}, {"next-1", "hello-next"}};

static const char route_host[] = "demo.example", route_path[] = "/hello";

struct node {
    struct port proxy, peer, admin, health;
    pid_t pid; /* 0: not running, as far as we know */
    char directory[PATH_MAX], log[PATH_MAX], socket[PATH_MAX];
    struct traffic traffic;
};

struct upstream {
    struct port port;
    pid_t pid;
    char log[PATH_MAX];
};

static struct {
    /* what was asked for */
    const char *bin, *examples, *example;
    long long for_ms; /* 0: until stopped */
    size_t nodes;
    bool json;

    char gwd[PATH_MAX], gwctl[PATH_MAX], upstream[PATH_MAX], yaml[PATH_MAX],
        running[PATH_MAX];
    char work[PATH_MAX - 64]; /* temporary directory; empty: none */
    char log[PATH_MAX], token[PATH_MAX];
    struct node node[NODES_MAX];
    struct upstream up[UPSTREAMS];
    FILE *people;
} demo;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(demo.people, format, arguments);
    va_end(arguments);
    fputc('\n', demo.people);
    fflush(demo.people);
}

/* Paths here are a temporary directory and a short name; one that does not fit is refused
 * at the start. */
__attribute__((format(printf, 3, 4))) static void text(char *out, size_t size,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= size) {
        fprintf(stderr, "demo: a path is too long: '%s'\n", out);
        exit(1);
    }
}

static void show_log(const char *path)
{
    FILE *file = fopen(path, "r");
    char tail[2048];

    if (file == NULL)
        return;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, size > (long)sizeof tail ? size - (long)sizeof tail : 0, SEEK_SET);
    size_t got = fread(tail, 1, sizeof tail, file);
    fclose(file);
    if (got > 0)
        fprintf(stderr, "--- end of %s\n%.*s\n", strrchr(path, '/') + 1, (int)got, tail);
}

/* Whether a log says that a port was taken, which is worth another attempt. */
static bool log_says_in_use(const char *path)
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

/* --- starting
 * ------------------------------------------------------------------------------------------------
 */

/* Notes which of our processes have ended. Returns the last node among them, or NULL. */
static struct node *reap(int *ret_status)
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

/* Runs a gwctl command; the arguments end with NULL. */
static bool gwctl(char *output, size_t size, const char *const arguments[])
{
    const char *argv[40] = {demo.gwctl};
    size_t count = 1;
    FILE *log = fopen(demo.log, "a");

    for (size_t i = 0; arguments[i] != NULL && count + 1 < sizeof argv / sizeof *argv; i++)
        argv[count++] = arguments[i];
    if (log != NULL) {
        fputs("$ gwctl", log);
        for (size_t i = 1; i < count; i++)
            fprintf(log, " %s", argv[i]);
        fputc('\n', log);
        fclose(log);
    }
    return process_run(argv, demo.log, output, size, 2 * START_MS) == 0;
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

    const char *init[] = {"cluster",
                          "init",
                          "--cluster",
                          "demo",
                          "--token-out",
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
    const char *join[] = {"cluster",
                          "join",
                          "--token-file",
                          demo.token,
                          "--wait",
                          "30s",
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
    if (!gwctl(output, sizeof output, index == 0 ? init : join))
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

static bool start_all(bool usual)
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

/* --- ending
 * --------------------------------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void end_all(void)
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

/* --- the file that `./run gwctl` reads: our pid and the endpoints
 * ---------------------------------------------- */

static void write_running(void)
{
    char next[PATH_MAX + 8];

    text(next, sizeof next, "%s.new", demo.running);
    FILE *file = fopen(next, "w");
    if (file == NULL)
        return;
    fprintf(file, "%d ", (int)getpid());
    for (size_t i = 0; i < demo.nodes; i++)
        fprintf(file, "%sunix:%s", i > 0 ? "," : "", demo.node[i].socket);
    fputc('\n', file);
    /* What the example asks for, so that it can be applied again by hand. */
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, "GW_", 3) == 0 && strchr(*variable, '\n') == NULL)
            fprintf(file, "%s\n", *variable);
    }
    fclose(file);
    rename(next, demo.running);
}

/* Another demo may have started after us and written its own. */
static void remove_running(void)
{
    FILE *file = fopen(demo.running, "r");
    int pid = 0;

    if (file == NULL)
        return;
    if (fscanf(file, "%d", &pid) == 1 && pid == (int)getpid())
        unlink(demo.running);
    fclose(file);
}

/* --- telling
 * -------------------------------------------------------------------------------------------------
 */

static void json_string(const char *string)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)string; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    putchar('"');
}

static void print_json(void)
{
    fputs("{\"gwd\": ", stdout);
    json_string(demo.gwd);
    fputs(", \"gwctl\": ", stdout);
    json_string(demo.gwctl);
    fputs(", \"nodes\": [", stdout);
    for (size_t i = 0; i < demo.nodes; i++) {
        struct node *node = &demo.node[i];
        printf("%s{\"name\": \"%s\", \"pid\": %d, \"region\": \"%s\", \"proxy\": "
               "\"http://127.0.0.1:%d\", "
               "\"proxyTls\": null, \"admin\": \"https://127.0.0.1:%d\", \"socket\": ",
               i > 0 ? ", " : "", cast[i].name, (int)node->pid, cast[i].region,
               node->proxy.number, node->admin.number);
        json_string(node->socket);
        fputs(", \"dataDir\": ", stdout);
        json_string(node->directory);
        printf(", \"metrics\": \"http://127.0.0.1:%d/metrics\"}", node->health.number);
    }
    fputs("], \"upstreams\": [", stdout);
    for (size_t i = 0; i < UPSTREAMS; i++)
        printf("%s{\"name\": \"%s\", \"pid\": %d, \"address\": \"127.0.0.1:%d\", "
               "\"service\": \"%s\"}",
               i > 0 ? ", " : "", upstream_cast[i].name, (int)demo.up[i].pid,
               demo.up[i].port.number, upstream_cast[i].service);
    printf("], \"route\": {\"host\": \"%s\", \"path\": \"%s\"}}\n", route_host, route_path);
    fflush(stdout);
}

/* The node that leads, as the cluster says; the first if it says nothing. */
static size_t leader(void)
{
    char output[1024], endpoint[PATH_MAX + 8], quoted[32];

    text(endpoint, sizeof endpoint, "unix:%s", demo.node[0].socket);
    const char *ask[] = {"-e", endpoint, "-o", "json", "cluster", "leader", NULL};
    if (gwctl(output, sizeof output, ask))
        for (size_t i = 0; i < demo.nodes; i++) {
            text(quoted, sizeof quoted, "\"%s\"", cast[i].name);
            if (strstr(output, quoted) != NULL)
                return i;
        }
    return 0;
}

static void print_for_people(size_t leading, long long took_ms)
{
    say("Quorumgate demo: %zu nodes, ready in %.1f s", demo.nodes, (double)took_ms / 1000);
    say("%s", "");
    for (size_t i = 0; i < demo.nodes; i++) {
        struct node *node = &demo.node[i];
        say("  %-5s pid %-7d proxy http://127.0.0.1:%d%s  metrics "
            "http://127.0.0.1:%d/metrics%s",
            cast[i].name, (int)node->pid, node->proxy.number, route_path,
            node->health.number, i == leading ? "  (leader)" : "");
    }
    for (size_t i = 0; i < UPSTREAMS; i++)
        say("  %-7s pid %-5d upstream of service %s at 127.0.0.1:%d", upstream_cast[i].name,
            (int)demo.up[i].pid, upstream_cast[i].service, demo.up[i].port.number);
    say("  files in %s", demo.work);
    say("\nThings to try, in another terminal:\n");
    say("  a request          curl -i -H 'host: %s' http://127.0.0.1:%d%s", route_host,
        demo.node[0].proxy.number, route_path);
    say("  kill the leader    kill -9 %d; ./run gwctl cluster status",
        (int)demo.node[leading].pid);
    say("  start it again     %s --data-dir %s", demo.gwd, demo.node[leading].directory);
    say("  explain a request  ./run gwctl explain GET http://%s%s", route_host, route_path);
    say("  look around        ./run gwctl get all; ./run gwctl describe route hello");
    say("\nTwenty requests a second go to each node. Ctrl-C ends everything and leaves "
        "nothing behind.");
}

static void print_counts(const char *when)
{
    char line[512];
    size_t used = 0;

    for (size_t i = 0; i < demo.nodes && used < sizeof line; i++) {
        struct traffic *traffic = &demo.node[i].traffic;
        unsigned long refused = atomic_load(&traffic->refused);
        int length = snprintf(
            line + used, sizeof line - used, "%s%s %lu ok, %lu failed", i > 0 ? "; " : "",
            cast[i].name, atomic_load(&traffic->answered), atomic_load(&traffic->failed));
        used += length > 0 ? (size_t)length : 0;
        if (refused > 0 && used < sizeof line) {
            length = snprintf(line + used, sizeof line - used, ", %lu while down", refused);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    say("%s %s", when, line);
}

/* Until the time is over or somebody stops us. */
static void watch(void)
{
    long long begin = now_ms(), tell_at = begin + 10000;

    while (!process_stop_wanted()) {
        long long now = now_ms();
        if (demo.for_ms > 0 && now - begin >= demo.for_ms)
            break;
        if (now >= tell_at) {
            print_counts("requests:");
            tell_at = now + 10000;
        }
        long long until = tell_at - now;
        if (demo.for_ms > 0 && begin + demo.for_ms - now < until)
            until = begin + demo.for_ms - now;
        if (process_wait_event((int)until) != PROCESS_CHILD)
            continue;
        int status = 0;
        struct node *ended = reap(&status);
        if (ended != NULL)
            say("%s has ended (%s %d); the others go on. Start it again: %s --data-dir %s",
                cast[ended - demo.node].name, WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), demo.gwd,
                ended->directory);
    }
}

/* --- arguments
 * -----------------------------------------------------------------------------------------------
 */

static long long duration_ms(const char *string)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(string, &end, 10);

    if (errno != 0 || end == string || value <= 0 || value > 1000000000)
        return -1;
    if (strcmp(end, "ms") == 0)
        return value;
    if (strcmp(end, "s") == 0 || *end == '\0')
        return value * 1000;
    if (strcmp(end, "m") == 0)
        return value * 60000;
    if (strcmp(end, "h") == 0)
        return value * 3600000;
    return -1;
}

static void usage(const char *what, const char *value)
{
    fprintf(stderr,
            "demo: %s '%s'\nusage: ./run demo [--for 60s] [--nodes 3] [--example demo] "
            "[--json]\n",
            what, value);
    exit(2);
}

static void arguments(int argc, char **argv)
{
    demo.example = "demo";
    demo.nodes = 3;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--json") == 0) {
            demo.json = true;
            continue;
        }
        /* A name this does not know says so, rather than that it lacks a value. */
        static const char *const known[] = {"--bin", "--examples", "--for", "--nodes",
                                            "--example"};
        size_t which = 0;
        while (which < 5 && strcmp(name, known[which]) != 0)
            which++;
        if (which == 5)
            usage("unknown argument", name);
        if (i + 1 >= argc)
            usage("a value is missing after", name);
        const char *value = argv[++i];
        switch (which) {
        case 0:
            demo.bin = value;
            break;
        case 1:
            demo.examples = value;
            break;
        case 2:
            demo.for_ms = duration_ms(value);
            if (demo.for_ms < 0)
                usage("--for takes a duration such as 60s, not", value);
            break;
        case 3:
            demo.nodes = (size_t)atoi(value);
            if (strlen(value) != 1 || demo.nodes < 1 || demo.nodes > NODES_MAX)
                usage("--nodes takes 1 to 7, not", value);
            break;
        default:
            demo.example = value;
        }
    }
    if (strcmp(demo.example, "demo") != 0)
        usage(strcmp(demo.example, "shop") == 0
                  ? "the demo cannot show this example yet, since it needs certificates "
                    "and consumers:"
                  : "there is no such example:",
              demo.example);
    if (demo.bin == NULL || demo.examples == NULL)
        usage("missing", "--bin and --examples");
}

/* Absolute, since scripts get these paths and the demo changes its directory at the end. */
static void find(char *out, const char *directory, const char *name)
{
    char path[PATH_MAX];

    text(path, sizeof path, "%s/%s", directory, name);
    if (realpath(path, out) == NULL) {
        fprintf(stderr, "demo: '%s': %s\n", path, strerror(errno));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    bool ready = false;
    char bin[PATH_MAX];

    demo.people = stderr;
    arguments(argc, argv);
    if (!demo.json)
        demo.people = stdout;
    find(demo.gwd, demo.bin, "gwd");
    find(demo.gwctl, demo.bin, "gwctl");
    find(demo.upstream, demo.bin, "upstream");
    find(demo.yaml, demo.examples, "demo.yaml");
    find(bin, demo.bin, "..");
    text(demo.running, sizeof demo.running, "%s/demo.running", bin);
    /* A context or endpoints of the caller's own must not lead these commands to another
     * cluster. */
    unsetenv("GWCTL_ENDPOINTS");
    unsetenv("GWCTL_CONTEXT");
    unsetenv("GWCTL_TOKEN_FILE");
    unsetenv("GWCTL_OUTPUT");
    process_init();
    for (size_t i = 0; i < NODES_MAX; i++)
        demo.node[i].proxy.held = demo.node[i].peer.held = demo.node[i].admin.held =
            demo.node[i].health.held = -1;
    for (size_t i = 0; i < UPSTREAMS; i++)
        demo.up[i].port.held = -1;

    long long begin = now_ms();
    for (int attempt = 0; attempt < ATTEMPTS && !ready && !process_stop_wanted();
         attempt++) {
        ready = start_all(attempt == 0);
        if (ready || process_stop_wanted())
            break;
        bool clash = false;
        for (size_t i = 0; i < UPSTREAMS; i++)
            clash = clash || log_says_in_use(demo.up[i].log);
        for (size_t i = 0; i < demo.nodes; i++)
            clash = clash || log_says_in_use(demo.node[i].log);
        if (!clash || attempt + 1 == ATTEMPTS) {
            show_log(demo.log);
            for (size_t i = 0; i < demo.nodes; i++)
                show_log(demo.node[i].log);
            for (size_t i = 0; i < UPSTREAMS; i++)
                show_log(demo.up[i].log);
            fprintf(stderr,
                    "demo: the cluster did not start; the ends of its logs are above\n");
            end_all();
            return 1;
        }
        fprintf(stderr, "demo: a port was taken meanwhile; starting again with others\n");
        end_all();
    }
    if (ready) {
        size_t leading = leader();
        write_running();
        if (demo.json)
            print_json();
        print_for_people(leading, now_ms() - begin);
        for (size_t i = 0; i < demo.nodes; i++) {
            struct traffic *traffic = &demo.node[i].traffic;
            traffic->port = demo.node[i].proxy.number;
            traffic->host = route_host;
            traffic->path = route_path;
            traffic_start(traffic);
        }
        watch();
        print_counts("in all:");
    }
    remove_running();
    end_all();
    return ready || process_stop_wanted() ? 0 : 1;
}
