/* Whether this node's state is that of the others, as a pure function of what they say.
 *
 * Each node tells an index and the digest of its state there; it is compared with what
 * this node was at that index. Where a majority of the voters is one in being another
 * than this node, this node is wrong: it is quarantined, and so never more than a
 * minority is. Where no majority is one, nobody is, and somebody has to look. The same
 * where more than a minority finds itself wrong: then it is the finding that is, and only
 * those of the lowest ids go by it.
 *
 * Digests are sums over records, so two that differ have a difference, which stays while
 * nothing changes that they differ in. That is how nodes that told of different indices
 * are known to be one: they differ from this node by the same. */
#ifndef GW_RAFT_SAMENESS_H
#define GW_RAFT_SAMENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMENESS_PEERS    32
#define SAMENESS_LOOK_MS  1000  /* between two looks */
#define SAMENESS_FRESH_MS 30000 /* what was compared longer ago says nothing */
#define SAMENESS_LOOKS    2     /* in a row, before anything follows */
#define SAMENESS_LAG_MS   5000  /* committed and not applied for so long: a warning */

enum sameness_verdict {
    SAMENESS_UNKNOWN,   /* too few have told */
    SAMENESS_SAME,      /* with a majority */
    SAMENESS_DIFFERENT, /* a majority is one, without this node */
    SAMENESS_SPLIT      /* some differ, and no majority is one */
};

/* What a node said last. */
struct sameness_peer {
    uint64_t id;
    bool is_voter;
    bool has_told;
    bool is_quarantined; /* it says */
    uint64_t index, digest;
    uint64_t told_ms; /* when it was heard last */
};

struct sameness_news {
    const struct sameness_peer *peers; /* all but this node */
    size_t peer_count;
    uint64_t id;   /* this node */
    bool is_voter; /* this node */
    /* What this node was at an index; false: not known. */
    bool (*digest_at)(void *owner, uint64_t index, uint64_t *ret_digest);
    void *owner;
    uint64_t commit, visible; /* of this node's log */
};

struct sameness { /* all 0 at first */
    struct sameness_known {
        uint64_t id;                      /* 0: free */
        bool is_waiting;                  /* for this node to reach its index */
        uint64_t index, digest;           /* told */
        uint64_t waiting_ms;              /* since */
        uint64_t compared_ms, difference; /* compared_ms 0: never */
        uint64_t compared_index;
    } known[SAMENESS_PEERS];
    enum sameness_verdict verdict;
    unsigned looks; /* in a row that gave `verdict` */
    uint64_t looked_ms;
    bool is_quarantined;
    bool is_split;       /* no majority is one */
    bool is_lagging;     /* applies too slowly */
    uint64_t differs_at; /* index of the comparison that led to the quarantine */
    uint64_t lag_index, lag_ms;
};

/* Looks if it is time to; true when it did. `now_ms` is above 0 and never goes back. */
bool sameness_look(struct sameness *sameness, const struct sameness_news *news,
                   uint64_t now_ms);
/* A peer was compared lately and differs from this node. */
bool sameness_differs(const struct sameness *sameness, uint64_t id, uint64_t now_ms);

#endif
