/* A Treiber stack of mail, taken whole by the loop and turned round: per sender the
 * order of posting is the order of delivery.
 *
 * Closing has one difficulty: a sender may have put its mail in and be about to ring
 * the bell just as the loop closes it. So senders count themselves in and
 * out, and close waits for the few instructions they need. The price: two atomic
 * additions a post, on a line that senders share. */
#include "net/mailbox.h"

#include "base/list.h"

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

static void on_rung(struct bell *bell)
{
    struct mailbox *mailbox = container_of(bell, struct mailbox, bell);

    if (mailbox->is_open)
        deliver_all(mailbox,
                    atomic_exchange_explicit(&mailbox->head, NULL, memory_order_acq_rel));
}

enum result mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, mailbox_fn deliver,
                         void *owner, struct error *err)
{
    if (bell_open(&mailbox->bell, loop, on_rung, err) != GW_OK)
        return error_wrap(err, "open a mailbox");
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
        bell_ring(&mailbox->bell);
    atomic_fetch_sub(&mailbox->sender_count, 1);
    return true;
}

static void on_closed(struct bell *bell)
{
    struct mailbox *mailbox = container_of(bell, struct mailbox, bell);

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
    bell_close(&mailbox->bell, on_closed);
    deliver_all(mailbox, rest);
}
