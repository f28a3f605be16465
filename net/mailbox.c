/* A Treiber stack of mail, taken whole by the loop and turned round: per sender the
 * order of posting is the order of delivery.
 *
 * Closing has one difficulty: a sender may have put its mail in and be about to ring
 * the uv_async just as the loop closes it. So senders count themselves in and
 * out, and close waits for the few instructions they need. The price: two atomic
 * additions a post, on a line that senders share. */
#include "net/mailbox.h"

#include <sched.h>

static struct mail closed_mark;

static void deliver_all(struct mailbox *mailbox, struct mail *newest)
{
    struct mail *oldest = NULL;

    while (newest != NULL) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct mail *mail = oldest;
        oldest = mail->next; /* read first: the receiver may free it */
        mail->next = NULL;
        mailbox->deliver(mail, mailbox->owner);
    }
}

static void on_async(uv_async_t *async)
{
    struct mailbox *mailbox = async->data;

    if (mailbox->is_open)
        deliver_all(mailbox,
                    atomic_exchange_explicit(&mailbox->head, NULL, memory_order_acq_rel));
}

enum result mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, mailbox_fn deliver,
                         void *owner, struct error *err)
{
    int rc = uv_async_init(loop, &mailbox->async, on_async);
    if (rc != 0)
        return error_set(err, GW_IO, "open a mailbox: %s", uv_strerror(rc));
    mailbox->async.data = mailbox;
    atomic_init(&mailbox->head, NULL);
    atomic_init(&mailbox->sender_count, 0);
    mailbox->deliver = deliver;
    mailbox->closed = NULL;
    mailbox->owner = owner;
    mailbox->is_open = true;
    return GW_OK;
}

bool mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    atomic_fetch_add(&mailbox->sender_count, 1);
    struct mail *head = atomic_load(&mailbox->head);
    do {
        if (head == &closed_mark) {
            atomic_fetch_sub(&mailbox->sender_count, 1);
            return false;
        }
        mail->next = head;
    } while (!atomic_compare_exchange_weak(&mailbox->head, &head, mail));
    /* Whoever found mail in the box need not ring: the bell for that rings yet. */
    if (head == NULL)
        uv_async_send(&mailbox->async);
    atomic_fetch_sub(&mailbox->sender_count, 1);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct mailbox *mailbox = handle->data;

    if (mailbox->closed != NULL)
        mailbox->closed(mailbox, mailbox->owner);
}

void mailbox_close(struct mailbox *mailbox, mailbox_close_cb closed)
{
    if (mailbox == NULL || !mailbox->is_open)
        return;
    mailbox->is_open = false;
    mailbox->closed = closed;
    struct mail *rest = atomic_exchange(&mailbox->head, &closed_mark);
    while (atomic_load(&mailbox->sender_count) != 0)
        sched_yield();
    uv_close((uv_handle_t *)&mailbox->async, on_closed);
    deliver_all(mailbox, rest);
}
