/* The links to all other nodes: dialling, accepting, choosing, sending.
 *
 * Two connections per pair, consensus and bulk. Both sides dial what is
 * missing, the lower id at once, the higher a little later; where two of a
 * class meet, the one that the lower id dialled stays, so both sides choose
 * alike. Member thread only. */
#ifndef GW_RAFT_PEERS_H
#define GW_RAFT_PEERS_H

#include "base/rng.h"
#include "net/listener.h"
#include "raft/fault.h"
#include "raft/link.h"
#include "raft/member.h"

#define PEERS_TOLD 8

struct peer {
    uint64_t id; /* 0: a free place */
    char address[MEMBER_ADDRESS];
    bool is_known;         /* among the node records */
    struct link *links[2]; /* by class; ready ones */
    struct link *dialling[2];
    uint64_t redial_ms[2];
    uint32_t backoff_ms[2];
    uint64_t seen_ms;
    struct buffer status;
};

struct peers_events {
    /* GW_MALFORMED closes the link and is counted. */
    enum result (*on_message)(void *owner, uint64_t from, struct slice message);
    void (*on_forward)(void *owner, uint64_t from, uint64_t id, struct slice payload);
    void (*on_reply)(void *owner, uint64_t from, uint64_t id, struct slice payload);
    void (*on_status)(void *owner, uint64_t from); /* it changed */
    void (*on_join)(void *owner, uint64_t id,
                    struct slice request); /* answer: peers_join_answer */
    void (*on_link)(void *owner, uint64_t peer, enum peer_class, bool up);
};

struct peers {
    struct loop *loop;
    struct tls_context *server, *client; /* owned references */
    struct hello ours;
    struct rng rng;
    struct listener listener;
    const struct peers_events *events;
    void *owner;
    struct peer items[MEMBER_PEERS];
    struct list_link strangers; /* accepted, no hello yet; joiners; and who is greeted */
    size_t stranger_count;
    struct buffer status; /* ours */
    uint64_t nodes_visible, status_sent_ms;
    uint64_t join_next, join_tokens, join_refilled_ms;
    struct member_counters counters;
    bool has_nodes, is_closing;
    struct { /* the newest refusals that were logged */
        uint64_t hash, at_ms;
    } told[PEERS_TOLD];
    size_t link_count; /* alive, closing ones too */
    size_t cut_count;
    struct fault_cut cuts[FAULTS_MAX];
};

/* Takes `fd`, the peer port's listening socket. Contexts are shared. */
enum result peers_open(struct peers *peers, struct loop *loop, int fd,
                       struct tls_context *server, struct tls_context *client,
                       const struct hello *ours, const struct peers_events *events,
                       void *owner, struct error *err);
/* Closes all links; peers_is_closed once the loop has let go of them. */
void peers_close(struct peers *peers);
bool peers_is_closed(const struct peers *peers);
void peers_deinit(struct peers *peers);

/* Dials what is missing, sends the status when it is due. Every 50 ms or so. */
void peers_tick(struct peers *peers, uint64_t now_ms);
/* Dials somebody who is no peer, only to exchange hellos that do not fit. */
void peers_greet(struct peers *peers, uint64_t id, const char *address);
void peers_nodes(struct peers *peers, const struct member_node *nodes, size_t count,
                 uint64_t visible);
void peers_status(struct peers *peers, struct slice status);
/* For links from now on; shared. */
void peers_credentials(struct peers *peers, struct tls_context *server,
                       struct tls_context *client);

/* Fault points: links to these are mute, and none is opened, until their time is over. */
void peers_cut(struct peers *peers, const struct fault_cut *cuts, size_t count);

/* A lost message is the protocol's to resend: dropped without a link, or with too much
 * waiting. */
void peers_send(struct peers *peers, uint64_t to, struct slice message, bool bulk);
/* GW_UNREACHABLE without a bulk link. */
enum result peers_forward(struct peers *peers, uint64_t to, uint64_t id,
                          struct slice payload);
void peers_reply(struct peers *peers, uint64_t to, uint64_t id, struct slice payload);
void peers_join_answer(struct peers *peers, uint64_t id, struct slice answer);
/* NULL when there is none. */
struct peer *peers_find(struct peers *peers, uint64_t id);
bool peer_is_connected(const struct peer *peer);
/* When something was last heard of it, closed links included; 0: never. */
uint64_t peer_seen_ms(const struct peer *peer);

#endif
