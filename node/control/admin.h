/* The rooms behind the admin API's addresses. Each function takes one request
 * and ends it, now or later. Control thread. */
#ifndef GW_NODE_ADMIN_H
#define GW_NODE_ADMIN_H

#include "node/control/request.h"

struct emit;

/* Finds the address's handler and runs it where it belongs. */
void admin_route(struct request *request);

/* apply.c */
void apply_post(struct request *request);
/* Logs what was answered and is not logged yet. */
void applied_tell(struct control *control);
void apply_put(struct request *request);
void apply_patch(struct request *request);
void apply_delete(struct request *request);
/* As if `body`, which stays, had been posted, made for the configuration of `revision`:
 * where what it touches has changed since, or if `is_exact` anything, `again` runs, a
 * moment later. At the leader only. */
void apply_at_revision(struct request *request, struct slice body, uint64_t revision,
                       bool is_exact, request_fn again);

/* rollback.c, history.c */
void rollback_post(struct request *request);
void history_list(struct request *request);

/* resources.c */
void resources_list(struct request *request);
void resources_get(struct request *request);

/* cluster.c */
void cluster_status(struct request *request);
void cluster_members(struct request *request);
void cluster_leader(struct request *request);
void cluster_ready(struct request *request);
void cluster_version(struct request *request);

/* membership.c */
void membership_transfer(struct request *request);
void membership_remove(struct request *request);
void membership_role(struct request *request);

/* tokens.c */
void tokens_create(struct request *request);
void tokens_list(struct request *request);
void tokens_revoke(struct request *request);

/* certs.c */
void certs_list(struct request *request);
void certs_rotate(struct request *request);

/* upgrade.c */
void upgrade_status(struct request *request);
void upgrade_finalize(struct request *request);
/* Whether the stored format has reached `format`, which `what` needs; false: refused. */
bool upgrade_allows(struct request *request, uint64_t format, const char *what);

/* keys.c */
void keys_export(struct request *request);
void keys_status(struct request *request);
void keys_rotate(struct request *request);

/* backup.c */
void backup_get(struct request *request);

/* explain.c */
void explain_post(struct request *request);

/* members.c: how all nodes are, as this one sees it. */
struct member_line {
    const struct node_entry *node; /* may be NULL: not in the records (yet) */
    uint64_t id;
    const char *role, *state;
    bool is_reachable;
    bool has_status; /* the three below are known */
    uint64_t served, visible;
    uint64_t lag;     /* log entries behind the furthest */
    uint64_t seen_ms; /* ago */
    bool was_seen;
    bool is_voter;
    bool is_halted, is_low; /* its disk; as its status said last */
    bool is_quarantined;    /* the same */
    bool has_digest;        /* of its state at `visible` */
    uint64_t digest;
};
struct member_list {
    struct member_line lines[MEMBER_PEERS];
    size_t count;
    unsigned voters, have, reachable;
    const char *health;
};
void members_gather(const struct control *control, struct member_list *ret_list);
void members_emit(struct emit *emit, const struct member_list *list);

#endif
