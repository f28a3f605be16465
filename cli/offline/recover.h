/* When a quorum is gone for good: what a survivor holds, and making it the only
 * voter under a new epoch. On the data directory of a node that does not run.
 * Blocking; one thread. */
#ifndef GW_CLI_OFFLINE_RECOVER_H
#define GW_CLI_OFFLINE_RECOVER_H

#include "base/error.h"

#define RECOVER_MEMBERS 64

struct recover_member {
    uint64_t id;
    char name[64], peer[272];
    bool is_voter;
};

struct recover_facts {
    char cluster_id[40], name[64];
    uint64_t node_id, epoch;
    uint64_t term; /* the newest this node has seen */
    uint64_t last,
        last_term; /* of the log: of what there are survivors, the highest wins */
    uint64_t applied, revision;
    struct recover_member
        members[RECOVER_MEMBERS]; /* the others, as this node knows them */
    size_t member_count;
    bool is_voter;
};

/* GW_NOT_FOUND: no node's directory; GW_LOCKED: its gwd runs; GW_DAMAGED … Writes nothing.
 */
enum result offline_recover_inspect(const char *data_dir, struct recover_facts *ret_facts,
                                    struct error *err);
/* Keeps all of the log, what was not known to be committed too, for it may have been
 * acknowledged; removes the other members. `ret_facts` is of before, but for `epoch`. */
enum result offline_recover(const char *data_dir, struct recover_facts *ret_facts,
                            struct error *err);

#endif
