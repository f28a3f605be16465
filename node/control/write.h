/* One wish to change the configuration, on its way from a request to a log
 * entry: decoded, compared and checked against a catalog, then encoded as one
 * transaction. The proposer carries it through. */
#ifndef GW_NODE_WRITE_H
#define GW_NODE_WRITE_H

#include "base/list.h"
#include "model/change.h"
#include "node/control/edition.h"
#include "node/control/job.h"
#include "raft/member.h"

#define WRITE_ENCODED_MAX (8u << 20)
#define WRITE_REGIONS_MAX 32

enum write_type {
    WRITE_APPLY, /* body of POST /v1/apply */
    WRITE_PUT,   /* a whole object */
    WRITE_PATCH, /* RFC 7396, onto what is there */
    WRITE_DELETE
};

struct write;
typedef void (*write_done_fn)(struct write *write);

struct write {
    struct list_link link;
    /* What is wished: set by the owner, borrowed until `done`. */
    enum write_type type;
    struct slice body;
    enum kind kind; /* of PUT, PATCH, DELETE */
    struct slice name;
    bool has_prune;
    struct slice prune; /* selector */
    bool dry_run;
    bool has_if_revision, has_if_match, if_none_match;
    uint64_t if_revision;
    uint64_t if_match; /* modRevision */
    /* The change was made for this revision of everything, and is GW_AGAIN at any other. */
    bool has_only_at;
    uint64_t only_at;
    struct slice message; /* why, where the body does not say it */
    /* It names revisions, which what is in flight has not yet. A check that finds so in
     * the body says it by GW_AGAIN. */
    bool needs_visible;
    bool has_client;
    uint8_t client[16];
    struct slice actor;
    void *owner;
    write_done_fn done;

    /* What came of it. */
    enum result result;
    struct error err;
    struct problems problems; /* errors of GW_INVALID, and warnings */
    struct change change;     /* with every item's action */
    size_t changed_count;
    uint64_t revision;
    uint64_t mod_revision; /* of what a PUT or PATCH without effect found */
    struct buffer detail;  /* the command's answer: command_detail_unpack */

    /* The proposer's. */
    struct member_call call;
    uint64_t base_revision; /* of what it was checked against … */
    bool is_on_tentative;   /* … which held what was in flight */
    bool rests_on_state;    /* the body was good: what was said of it, the state decided */
    struct buffer command;
    struct member_region regions[WRITE_REGIONS_MAX]; /* in `arena` */
    size_t region_count;
    uint64_t format; /* stored */
    struct slice
        cluster_name; /* as `init --cluster` gave it, in `arena`; empty: not known */
    struct arena arena;
    uint64_t wall_ms;
    bool is_session_known; /* answered before: actions are to be told by revisions */
    bool is_noop; /* waits in the line of those in flight, to be answered in order */
    bool is_call_out;
    unsigned tries;
};

void write_init(struct write *write);
void write_deinit(struct write *write);
/* For another try: forgets what came of it. */
void write_reset(struct write *write);
/* Fills result, problems, change and command, against `base`, which then holds the change
 * too and is tentative, where it shall be proposed; else `base` stays as it was. */
void write_check(struct write *write, struct edition *base);

#endif
