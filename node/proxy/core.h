/* What the rooms of one worker share. All of it belongs to the worker's thread,
 * but the inbox and `turned_ms`. */
#ifndef GW_NODE_PROXY_CORE_H
#define GW_NODE_PROXY_CORE_H

#include "base/rng.h"
#include "http/h1_write.h"
#include "net/loop.h"
#include "node/proxy/blocks.h"
#include "node/proxy/counts.h"
#include "node/proxy/deadline.h"
#include "node/proxy/intake.h"
#include "node/proxy/worker.h"

#include <stdatomic.h>

/* Streams of compression at a time: each has 256 KiB. */
#define CORE_GZIPS 64u

struct access_log;
struct client;
struct exchange;
struct gzip;
struct mirror;
struct serving;
struct upstream;

/* One read, and so the most that is in flight per direction of a call. */
#define CORE_READ_BYTES ((size_t)64 << 10)
/* Room for a head written anew: the largest limit of a listener and what we add. */
#define CORE_HEAD_BYTES ((size_t)128 << 10)
#define CORE_SWEEP_MS   1000u

enum drain_phase { DRAIN_NONE, DRAIN_ANNOUNCED, DRAIN_CLOSED, DRAIN_DONE };

struct worker {
    /* Any thread. */
    struct mailbox inbox;
    _Atomic uint64_t turned_ms;

    unsigned number;
    unsigned count;          /* of workers on the node */
    struct mailbox *control; /* borrowed */
    char node_name[64];
    uv_thread_t thread;
    uv_loop_t uv;
    uv_prepare_t prepare;
    struct loop loop;
    struct rng rng;
    struct blocks blocks;
    struct slice read_buffer;    /* all flows read into it */
    struct intake_head *request; /* scratch of parsers */
    struct intake_head *response;
    char *head; /* CORE_HEAD_BYTES: heads are written here */
    struct counts counts;
    struct access_log *access_log; /* borrowed; NULL: none */
    struct metric_cell *log_written, *log_lost;
    struct http_date date;
    uint64_t wall_offset_ms; /* wall time less the loop's; set again by every sweep */
    char id_prefix[80];
    size_t id_prefix_size;
    uint64_t id_counter;

    struct table endpoints;     /* key -> struct endpoint */
    struct table services;      /* name -> struct service_live */
    struct table route_gates;   /* route -> struct route_gate (serving.c) */
    struct list_link with_idle; /* endpoints that hold idle connections */
    struct list_link unused;    /* endpoints no snapshot names */
    struct list_link unused_services;
    struct serving *serving;        /* the newest; NULL before the first */
    struct list_link through_gates; /* exchanges that waited and may go on (gate.c) */
    struct list_link acceptors;
    struct list_link clients;
    unsigned client_count, exchange_count;
    struct client *free_clients;
    struct exchange *free_exchanges;
    struct mirror *free_mirrors;
    struct gzip *free_gzips[CORE_GZIPS];
    unsigned free_gzip_count, gzip_count; /* kept, made (compress.c) */
    char *gzip_out;                       /* NULL before the first */
    struct list_link mirrors;             /* copies under way */
    struct upstream *free_upstreams;
    uint64_t allocated; /* objects made by malloc so far: stands still once warm */
    struct wheel_timer sweep;

    enum drain_phase drain;
    uint32_t drain_wait_ms;
    struct wheel_timer drain_timer;
    uint64_t drain_until_ms;
    bool is_stopping;
};

static inline uint64_t core_now_ms(const struct worker *worker)
{
    return uv_now(&worker->uv);
}
static inline uint64_t core_wall_ms(const struct worker *worker)
{
    return uv_now(&worker->uv) + worker->wall_offset_ms;
}
/* `ms` from now; 0: never. */
static inline uint64_t core_after(const struct worker *worker, uint64_t ms)
{
    return ms == 0 ? UINT64_MAX : uv_now(&worker->uv) + ms;
}

/* This worker's part of a limit of the node, at least 1. Workers share nothing on the
 * path, so the kernel's uneven spread of connections may refuse a little early. */
static inline uint64_t worker_share(const struct worker *worker, uint64_t limit)
{
    return worker->count == 1 ? limit : (limit + worker->count - 1) / worker->count;
}

#endif
