/* Clients and an origin that do anything at any time, while the configuration
 * changes: nothing may break, and afterwards nothing may be left. The seed is
 * printed; GW_STORM_SEED sets it. */
#include "cast.h"

#include "base/rng.h"

#define THREADS 4
#define ROUNDS  (IS_SANITIZED ? 40 : 80)

static struct origin one, two;
static struct gateway gateway;

static const char long_1[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                             "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

static const char *const pieces[] = {
    "GET /size/100 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /size/100000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /chunks/3000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /close/3000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /chunks/300 HTTP/1.0\r\nHost: a\r\n\r\n",
    "HEAD /size/100 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
    "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234",
    "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    long_1,
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "0\r\n\r\n",
    "GET /short HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /bad HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /bad-chunk HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /reset HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /bye HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /second-dies HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /interim HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /status/503 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
    "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /extra HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /slow/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /none HTTP/1.1\r\nHost: nobody.example\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX",
    "nonsense\r\n\r\n",
    "\r\n",
};

#define PIECES (sizeof pieces / sizeof pieces[0])

static const char *storm_yaml(unsigned variant)
{
    static char yaml[4096];
    snprintf(
        yaml, sizeof yaml,
        "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
        "spec:\n  bind: \"127.0.0.1:8080\"\n  protocols: [http/1.1]\n"
        "  limits: {headerTimeout: 500ms, idle: 500ms, writeStall: 500ms}\n---\n"
        "apiVersion: gw/v1\nkind: Service\nmetadata: {name: pair%u}\n"
        "spec:\n  connectTimeout: 200ms\n  pool: {requests: %u, idle: 1s}\n  endpoints:\n"
        "    - {name: first, address: \"127.0.0.1:%u\"}\n"
        "    - {name: second, address: \"127.0.0.1:%u\"}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
        "spec:\n  match: {hosts: [a], path: {prefix: /}}\n  service: pair%u\n"
        "  timeout: 400ms\n  retry: {max: 2, when: [connect-failure, reset, timeout, 503], "
        "perTry: 100ms, backoff: 1ms}\n",
        variant % 2, variant % 7, (unsigned)one.port, (unsigned)two.port, variant % 2);
    return yaml;
}

static void one_visit(struct rng *rng)
{
    char drop[65536];
    int fd = dial(gateway.port);
    if (fd < 0)
        return;
    for (uint64_t left = 1 + rng_below(rng, 6); left > 0; left--) {
        const char *piece = pieces[rng_below(rng, PIECES)];
        size_t size = strlen(piece);
        if (rng_chance(rng, 150))
            size = rng_below(rng, size + 1);
        if (rng_chance(rng, 100)) {
            size_t cut = rng_below(rng, size + 1);
            write_all(fd, piece, cut);
            usleep((useconds_t)rng_below(rng, 2000));
            write_all(fd, piece + cut, size - cut);
        } else {
            write_all(fd, piece, size);
        }
        if (rng_chance(rng, 300)) {
            ssize_t got = recv(fd, drop, sizeof drop, MSG_DONTWAIT);
            (void)got;
        }
    }
    switch (rng_below(rng, 4)) {
    case 0:
        reset_connection(fd);
        break;
    case 1:
        shutdown(fd, SHUT_WR);
        for (int i = 0; i < 20 && TEMP_FAILURE_RETRY(recv(fd, drop, sizeof drop, 0)) > 0;
             i++)
            ;
        break;
    case 2:
        for (int i = 0; i < 5 && TEMP_FAILURE_RETRY(recv(fd, drop, sizeof drop, 0)) > 0;
             i++)
            ;
        break;
    default:
        break;
    }
    close(fd);
}

static void *visits(void *argument)
{
    struct rng rng;
    rng_init(&rng, *(const uint64_t *)argument);
    for (int i = 0; i < ROUNDS; i++)
        one_visit(&rng);
    return NULL;
}

static void a_storm_leaves_nothing_behind(void **state)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    const char *given = getenv("GW_STORM_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : instant_wall_ms();
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    origin_start(&one, "one");
    origin_start(&two, "two");
    gateway_start(&gateway, storm_yaml(0));
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = seed + i;
        pthread_create(&threads[i], NULL, visits, &seeds[i]);
    }
    uint64_t revision = 1;
    for (int i = 0; i < 40; i++) {
        revision++;
        gateway_publish(&gateway, storm_yaml((unsigned)revision), revision);
        usleep(20000);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    eventually(gateway_metric(&gateway, "gw_connections_active{listener=\"http\",protocol="
                                        "\"http/1.1\"}") == 0);
    /* The origin may still be busy with the last of it. */
    eventually(ask_status(gateway.port, "GET /size/1 HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
    gateway_stop(&gateway);
    origin_stop(&one);
    origin_stop(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
