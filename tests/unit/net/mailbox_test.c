/* Mail from many threads: nothing is lost, and each sender keeps its order. */
#include "net/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

#include "base/list.h"

#include <pthread.h>

#define SENDERS 4
#define LETTERS 20000

struct letter {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

static struct mailbox box;
static unsigned next_number[SENDERS];
static unsigned delivered;
static bool in_order = true;
static bool closed;
static _Atomic unsigned accepted;
static _Atomic bool go_on;

static void on_mail(struct mail *mail, void *owner)
{
    struct letter *letter = container_of(mail, struct letter, mail);

    assert_ptr_equal(owner, &box);
    if (letter->number < next_number[letter->sender])
        in_order = false;
    next_number[letter->sender] = letter->number + 1;
    delivered++;
    free(letter);
}

static void on_closed(struct mailbox *mailbox, void *owner)
{
    (void)mailbox, (void)owner;
    closed = true;
}

static bool post(unsigned sender, unsigned number)
{
    struct letter *letter = malloc(sizeof *letter);
    letter->sender = sender;
    letter->number = number;
    if (mailbox_post(&box, &letter->mail)) {
        atomic_fetch_add(&accepted, 1);
        return true;
    }
    free(letter);
    return false;
}

static void *send_all(void *argument)
{
    unsigned sender = *(unsigned *)argument;
    for (unsigned i = 0; i < LETTERS; i++)
        post(sender, i);
    return NULL;
}

static void *send_until_closed(void *argument)
{
    unsigned sender = *(unsigned *)argument;
    for (unsigned i = 0; post(sender, i) || atomic_load(&go_on); i++)
        continue;
    return NULL;
}

static void begin(uv_loop_t *loop, pthread_t *threads, unsigned *names,
                  void *(*run)(void *))
{
    struct error err;

    uv_loop_init(loop);
    delivered = 0;
    closed = false;
    atomic_store(&accepted, 0);
    memset(next_number, 0, sizeof next_number);
    assert_int_equal(mailbox_open(&box, loop, on_mail, &box, &err), GW_OK);
    for (unsigned i = 0; i < SENDERS; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, run, &names[i]);
    }
}

static void mail_of_four_threads_arrives_whole_and_in_order(void **state)
{
    uv_loop_t loop;
    pthread_t threads[SENDERS];
    unsigned names[SENDERS];

    (void)state;
    begin(&loop, threads, names, send_all);
    cast_until(&loop, delivered == SENDERS * LETTERS);
    assert_true(in_order);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    mailbox_close(&box, on_closed);
    cast_until(&loop, closed);
    assert_false(post(0, 0));
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void what_was_accepted_is_delivered_when_closing_under_fire(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        uv_loop_t loop;
        pthread_t threads[SENDERS];
        unsigned names[SENDERS];

        atomic_store(&go_on, true);
        begin(&loop, threads, names, send_until_closed);
        cast_until(&loop, delivered > 500);
        mailbox_close(&box, on_closed);
        atomic_store(&go_on, false);
        cast_until(&loop, closed);
        for (unsigned i = 0; i < SENDERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(delivered, atomic_load(&accepted));
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

static void mail_posted_while_delivering_comes_too(void **state)
{
    uv_loop_t loop;
    struct error err;

    (void)state;
    uv_loop_init(&loop);
    delivered = 0;
    closed = false;
    memset(next_number, 0, sizeof next_number);
    assert_int_equal(mailbox_open(&box, &loop, on_mail, &box, &err), GW_OK);
    post(0, 1);
    cast_until(&loop, delivered == 1);
    post(0, 2);
    post(0, 3);
    mailbox_close(&box, on_closed);
    assert_int_equal(delivered, 3);
    mailbox_close(&box, on_closed);
    cast_until(&loop, closed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_of_four_threads_arrives_whole_and_in_order),
        cmocka_unit_test(what_was_accepted_is_delivered_when_closing_under_fire),
        cmocka_unit_test(mail_posted_while_delivering_comes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
