/* What the demo tells: to people, to scripts, to `./run gwctl`. */
#include "deploy/demo/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void show_log(const char *path)
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

/* --- the file that `./run gwctl` reads: our pid and the endpoints
 * ---------------------------------------------- */

void write_running(void)
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
void remove_running(void)
{
    FILE *file = fopen(demo.running, "r");
    int pid = 0;

    if (file == NULL)
        return;
    if (fscanf(file, "%d", &pid) == 1 && pid == (int)getpid())
        unlink(demo.running);
    fclose(file);
}

/* --- telling --- */

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

void print_json(void)
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

size_t leader(void)
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

void print_for_people(size_t leading, long long took_ms)
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

void print_counts(const char *when)
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
