/* Fault points: what an administrator wants broken for a while, for a drill or a test.
 *
 * Each is a record "_fault/NAME", written by COMMAND_SYSTEM, so that every node knows of
 * it. A node arms what concerns it when it learns of it, and lets it lapse by its own
 * monotonic clock, with or without a quorum, a leader or the record's removal. What was
 * there already when it started is never armed: nobody knows how much of its time is
 * left. Nor is what it learns of too late, after a time away.
 *
 * Pure, time is an argument; a `struct faults` belongs to one thread. */
#ifndef GW_RAFT_FAULT_H
#define GW_RAFT_FAULT_H

#include "base/buffer.h"
#include "base/rng.h"

#define FAULT_PREFIX       SLICE("_fault/")
#define FAULTS_MAX         16     /* records at a time */
#define FAULT_FOR_MAX_MS   600000 /* of one */
#define FAULT_DELAY_MAX_MS 10000
#define FAULT_NAME_SIZE    64
#define FAULT_REASON_LIMIT 200
#define FAULT_ID_SIZE      40 /* of the NAME above, with its end */

enum fault_kind {
    FAULT_LINK = 1, /* frames to and from a peer are dropped */
    FAULT_STORE,    /* the store thread waits before each batch */
    FAULT_UPSTREAM, /* endpoints take calls and never answer */
    FAULT_KINDS
};
enum fault_direction { FAULT_IN = 1, FAULT_OUT = 2 };

struct fault_record {
    enum fault_kind kind;
    uint64_t node;                  /* id; 0: every node (upstream only) */
    uint64_t peer;                  /* link: id, 0: every peer */
    unsigned directions;            /* link: of enum fault_direction, seen from `node` */
    uint64_t delay_ms;              /* store */
    struct slice service, endpoint; /* upstream; endpoint empty: all of the service */
    uint64_t for_ms;
    uint64_t at_ms; /* wall, of who wrote it */
    struct slice actor, reason;
};
void fault_record_pack(struct buffer *out, const struct fault_record *record);
/* Borrows. False also where a limit above is passed. */
bool fault_record_unpack(struct slice bytes, struct fault_record *ret_record);
/* A name for a new one: by the time, so that they stand in its order; with a random tail,
 * since two clients, or two leaders one after the other, may ask in one millisecond. */
void fault_id(char out[FAULT_ID_SIZE], uint64_t wall_ms, struct rng *rng);
/* "link", "store", "upstream". */
const char *fault_kind_name(enum fault_kind kind);
enum fault_kind fault_kind_of(struct slice name); /* 0: none of them */

/* What is armed on this node. */
struct fault {
    uint64_t id;       /* of the entry that made it */
    uint64_t until_ms; /* 0: it lapsed, or never was armed */
    enum fault_kind kind;
    uint64_t peer, delay_ms;
    unsigned directions;
    char service[FAULT_NAME_SIZE], endpoint[FAULT_NAME_SIZE];
    bool is_seen;
};
struct faults {
    uint64_t node; /* this one */
    size_t count;
    struct fault items[FAULTS_MAX];
};
/* All records, one after the other, between begin and end. `is_start`: the first look
 * since the node started. `now_ms`: monotonic; `wall_ms` only tells what is long over. */
void faults_begin(struct faults *faults);
/* Returns the fault if it is armed by this. */
const struct fault *faults_see(struct faults *faults, uint64_t id,
                               const struct fault_record *record, uint64_t now_ms,
                               uint64_t wall_ms, bool is_start);
/* What has no record any more is gone. True: something armed went. */
bool faults_end(struct faults *faults);
/* True: something lapsed. */
bool faults_lapse(struct faults *faults, uint64_t now_ms);
size_t faults_armed(const struct faults *faults, enum fault_kind kind);

/* For whoever does the breaking, each by its own look at the clock. */
struct fault_cut {
    uint64_t peer; /* 0: every one */
    unsigned directions;
    uint64_t until_ms;
};
struct fault_orders { /* to the member */
    size_t cut_count;
    struct fault_cut cuts[FAULTS_MAX];
    uint64_t delay_ms, delay_until_ms; /* of the store */
};
void faults_orders(const struct faults *faults, struct fault_orders *ret_orders);
/* Until when this endpoint never answers; 0: it does. */
uint64_t faults_hole(const struct faults *faults, struct slice service,
                     struct slice endpoint);
/* Directions in which nothing passes now. */
unsigned fault_cuts_of(const struct fault_cut *cuts, size_t count, uint64_t peer,
                       uint64_t now_ms);

#endif
