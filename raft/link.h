/* One connection to a peer, from TLS to frames: what comes before and after the
 * hello, the bytes that may wait, the silence that ends it.
 *
 * Both sides may dial; which of two connections stays is the member's business
 * (member_links.c). Member thread only. */
#ifndef GW_RAFT_LINK_H
#define GW_RAFT_LINK_H

#include "base/list.h"
#include "net/loop.h"
#include "net/stream.h"
#include "raft/hello.h"

#define LINK_QUEUE_BYTES \
    (4u << 20) /* waiting for the kernel, beyond which Raft messages are dropped */
#define LINK_CONSENSUS_QUEUE                                                              \
    (64u << 10) /* waiting on a consensus link, beyond which it takes small messages only \
                 */
#define LINK_SMALL_BYTES 4096
#define LINK_SILENCE_MS  3000 /* nothing heard: the link is dead */
#define LINK_PING_MS     500
#define LINK_HELLO_MS    10000 /* from connecting to the hello */
#define LINK_JOIN_MS     12000 /* from connecting to the answer */

struct link;

struct link_events {
    /* The peer is who it should be: `hello` is borrowed. Return an error to refuse it. */
    enum result (*on_hello)(struct link *link, const struct hello *hello, void *owner,
                            struct error *err);
    /* After the hello. GW_MALFORMED closes the link. */
    enum result (*on_frame)(struct link *link, uint8_t type, struct slice body,
                            void *owner);
    /* Once, as the last thing: the link is gone and freed after this returns. */
    void (*on_closed)(struct link *link, const struct error *why, void *owner);
};

struct link {
    struct list_link member_link; /* the owner's */
    struct stream *stream;
    struct frame_reader reader;
    struct frame_writer writer;
    struct wheel_timer silence; /* also pings */
    struct loop *loop;
    const struct link_events *events;
    void *owner;
    struct hello ours;
    struct hello theirs;
    bool is_dialled; /* by this node */
    bool is_ready;   /* hellos exchanged */
    bool is_join;    /* gw-join: frames go to on_frame without a hello */
    bool is_closing;
    bool in_reader;
    uint64_t opened_ms, heard_ms, said_ms;
    unsigned mutes;   /* fault_direction: nothing passes, as on a dead wire */
    uint64_t peer_id; /* expected when dialled; known once ready */
    uint64_t bytes_in, bytes_out;
    struct error why;
};

/* Takes `fd`. `ours` is copied; its class is taken from the peer's hello. */
enum result link_accept(struct loop *loop, int fd, struct tls_context *tls,
                        const struct hello *ours, const struct link_events *events,
                        void *owner, struct link **ret_link, struct error *err);
enum result link_dial(struct loop *loop, struct slice address, uint64_t peer_id,
                      struct tls_context *tls, const struct hello *ours,
                      const struct link_events *events, void *owner, struct link **ret_link,
                      struct error *err);
/* Where a Raft message goes, with so much waiting on the consensus link: heartbeats and
 * votes must not stand behind what is large, nor behind much of what is not. */
enum peer_class link_class_for(size_t message_bytes, bool is_bulk, size_t waiting_bytes);
/* GW_LIMIT when too much waits already, GW_CLOSED. Nothing was taken then. */
enum result link_send(struct link *link, enum peer_frame type, struct slice head,
                      struct slice body);
size_t link_queued_bytes(const struct link *link);
/* on_closed follows in a later turn of the loop. */
void link_close(struct link *link, enum result code, const char *why);

#endif
