/* Mail to a loop: any thread posts, the loop's thread delivers.
 *
 * A lock-free stack that the loop takes whole and turns round, and a bell to
 * wake it, rung only when the box was empty. Mail of one sender arrives in its
 * order. What post accepted is delivered, also when the box is closed. The box is
 * the caller's memory and must outlive its senders. */
#ifndef GW_NET_MAILBOX_H
#define GW_NET_MAILBOX_H

#include "net/bell.h"

/* Embedded in what is sent; found again with container_of. */
struct mail {
    struct mail *next;
};

struct mailbox;
/* On the loop's thread. Ownership of the mail moves to the receiver. */
typedef void (*mailbox_fn)(struct mail *mail, void *owner);
typedef void (*mailbox_close_cb)(struct mailbox *mailbox, void *owner);

struct mailbox {
    struct bell bell;
    _Atomic(struct mail *) head;   /* newest first; the closed mark once closed */
    _Atomic unsigned sender_count; /* inside mailbox_post */
    mailbox_fn deliver;
    mailbox_close_cb closed;
    void *owner;
    bool is_open; /* loop's thread only */
};

/* Loop's thread, before any post. */
enum result mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, mailbox_fn deliver,
                         void *owner, struct error *err);
/* Any thread. Takes the mail, or returns false after close: then it stays the
 * caller's. */
bool mailbox_post(struct mailbox *mailbox, struct mail *mail);
/* Loop's thread. Delivers what was posted before it returns; `closed` (may be
 * NULL) runs when the handle is gone. The memory must stay while anybody may
 * still post. Does nothing to a box that is not open (then `closed` runs never). */
void mailbox_close(struct mailbox *mailbox, mailbox_close_cb closed);

#endif
