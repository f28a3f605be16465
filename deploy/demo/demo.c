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
#include "deploy/demo/cast.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const struct role cast[NODES_MAX] = {
    {"eu-1", "eu"}, {"us-1", "us"}, {"ap-1", "ap"}, {"eu-2", "eu"},
    {"us-2", "us"}, {"ap-2", "ap"}, {"eu-3", "eu"},
};
const struct upstream_role upstream_cast[UPSTREAMS] = {
    {"hello-1", "hello"}, {"hello-2", "hello"}, {"next-1", "hello-next"}};
const char route_host[] = "demo.example", route_path[] = "/hello";

struct demo demo;

long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(demo.people, format, arguments);
    va_end(arguments);
    fputc('\n', demo.people);
    fflush(demo.people);
}

void text(char *out, size_t size, const char *format, ...)
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

bool gwctl(char *output, size_t size, const char *const arguments[])
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

/* --- arguments --- */

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
