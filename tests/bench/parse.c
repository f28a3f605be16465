/* How long the parser takes for a GET of a browser, 10 headers, about 600
 * bytes: the median of rounds, in nanoseconds of processor time a head. By hand:
 *
 *     cc -O2 -D_GNU_SOURCE -I. tests/bench/parse.c http/[a-z]*.c base/[a-z]*.c -lxxhash -o
 * /tmp/parse
 */
#include "http/h1_parse.h"
#include "http/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define HEADS  200000

static const char head[] =
    "GET /shop/catalogue/items/4182?colour=blue&size=42&sort=price HTTP/1.1\r\n"
    "Host: shop.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/"
    "*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://shop.example.org/shop/catalogue/items\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "X-Request-Id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n"
    "Cache-Control: max-age=0\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(void)
{
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    struct http_header headers[H1_HEADERS_DEFAULT];
    struct http_message message;
    struct h1_parse parse;
    double rounds[ROUNDS];
    char path[sizeof head];
    struct slice normal;

    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < HEADS; i++) {
            h1_parse_init(&parse, &message, headers, H1_HEADERS_DEFAULT);
            if (h1_parse_request(&parse, &message, slice_of(head, sizeof head - 1),
                                 &limits) != H1_DONE ||
                !uri_path_normalise(message.path, path, &normal))
                abort();
            __asm__ volatile("" ::: "memory");
        }
        rounds[round] = (now_ns() - begin) / HEADS;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, by_value);
    printf("parse: %zu bytes, %zu headers: %.0f ns (least %.0f)\n", sizeof head - 1,
           message.header_count, rounds[ROUNDS / 2], rounds[0]);
    return 0;
}
