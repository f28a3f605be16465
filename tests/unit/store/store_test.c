/* The queue: order, group commits, what is durable and visible when, installing dumps. */
#include "tests/unit/store/state.h"

#include "store/dump.h"
#include "store/dump_source.h"
#include "store/meta.h"
#include "store/records.h"
#include "store/store.h"

struct fixture {
    struct scratch s;
    struct store *store;
    unsigned wakes;
    bool apply_fails;
    bool is_configuration;
    unsigned linger_us;
    bool is_kicked;
};

/* "key=value" puts a record. */
static enum result apply(void *owner, struct txn *txn, uint64_t index, struct slice entry,
                         struct store_answer *answer)
{
    struct fixture *f = owner;
    struct record_state state;
    struct slice key;
    enum result result = record_state_get(txn, &state);

    if (f->apply_fails)
        return GW_IO;
    if (result == GW_OK && slice_next(&entry, '=', &key))
        result = record_put(txn, key, entry, index);
    state.applied = index;
    if (f->is_configuration)
        state.revision = index;
    answer->result = GW_OK;
    answer->revision = state.revision;
    answer->configuration = f->is_configuration;
    return result == GW_OK ? record_state_put(txn, &state) : result;
}

static void on_wake(void *owner)
{
    ((struct fixture *)owner)->wakes++;
}

static void f_open(struct fixture *f, uint64_t map_size)
{
    struct error err;

    scratch_open(&f->s, map_size);
    assert_int_equal(store_open(&(struct store_options){.env = f->s.env,
                                                        .apply = apply,
                                                        .owner = f,
                                                        .wake = on_wake,
                                                        .lazy_us = 5000,
                                                        .linger_us = f->linger_us,
                                                        .is_kicked = f->is_kicked},
                                &f->store, &err),
                     GW_OK);
}

static void f_init(struct fixture *f, uint64_t map_size)
{
    memset(f, 0, sizeof *f);
    scratch_init(&f->s);
    f_open(f, map_size);
}

static void f_close(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    scratch_close(&f->s);
}

static void f_deinit(struct fixture *f)
{
    f_close(f);
    scratch_deinit(&f->s);
}

static unsigned completed(struct fixture *f, struct store_job **ret_last)
{
    struct list_link jobs, *link;
    unsigned count = 0;

    list_init(&jobs);
    store_take_completed(f->store, &jobs);
    while ((link = list_take_first(&jobs)) != NULL) {
        count++;
        if (ret_last != NULL)
            *ret_last = container_of(link, struct store_job, link);
    }
    return count;
}

static struct store_job append_job(const struct store_entry *entries, unsigned count,
                                   uint64_t index)
{
    return (struct store_job){
        .type = STORE_APPEND, .entries = entries, .entry_count = count, .index = index};
}

static const struct store_entry two_entries[] = {
    {.term = 1, .type = STORE_COMMAND, .bytes = {"a=1", 3}},
    {.term = 1, .type = STORE_COMMAND, .bytes = {"b=2", 3}},
};

static void an_append_completes_only_once_it_is_durable(void **state)
{
    struct fixture f;
    struct store_job job = append_job(two_entries, 2, 1);
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &job);
    assert_true(store_step(f.store, 0, &next)); /* commits: not durable yet */
    assert_int_equal(completed(&f, NULL), 0);
    assert_int_equal(store_durable(f.store), 0);
    assert_int_equal(next, 0);                  /* step again at once */
    assert_true(store_step(f.store, 0, &next)); /* nothing behind it: syncs */
    assert_int_equal(completed(&f, NULL), 1);
    assert_int_equal(store_durable(f.store), job.sequence);
    assert_false(store_step(f.store, 0, &next));
    assert_true(next == UINT64_MAX);
    f_deinit(&f);
}

static void the_next_commit_makes_the_one_before_durable(void **state)
{
    struct fixture f;
    struct store_job first = append_job(two_entries, 1, 1);
    struct store_job second = append_job(two_entries + 1, 1, 2), *last = NULL;
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &first);
    store_step(f.store, 0, &next);
    store_push(f.store, &second);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, &last), 1);
    assert_ptr_equal(last, &first);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, &last), 1);
    assert_ptr_equal(last, &second);
    f_deinit(&f);
}

static struct store_job apply_job(uint64_t index, struct slice bytes)
{
    return (struct store_job){.type = STORE_APPLY, .index = index, .bytes = bytes};
}

static void applied_state_is_answered_at_once_and_visible_lazily(void **state)
{
    struct fixture f;
    struct store_job job = apply_job(1, SLICE("a=1"));
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &job);
    store_step(f.store, 1000, &next);
    assert_int_equal(completed(&f, NULL), 1);
    assert_int_equal(store_visible(f.store), 0);
    assert_int_equal(next, 6000);
    store_step(f.store, 6000, &next);
    assert_int_equal(store_visible(f.store), 1);
    f_deinit(&f);
}

static void a_waiting_reader_makes_state_visible_now(void **state)
{
    struct fixture f;
    struct store_job job = apply_job(1, SLICE("a=1"));
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &job);
    store_step(f.store, 1000, &next);
    store_want_visible(f.store);
    store_step(f.store, 1001, &next);
    assert_int_equal(store_visible(f.store), 1);
    f_deinit(&f);
}

static void a_configuration_entry_is_visible_at_once(void **state)
{
    struct fixture f;
    struct store_job job = apply_job(1, SLICE("a=1"));
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    f.is_configuration = true;
    store_push(f.store, &job);
    store_step(f.store, 1000, &next);
    assert_int_equal(store_visible(f.store), 1);
    assert_int_equal(store_revision(f.store), 1);
    f_deinit(&f);
}

static void a_configuration_entry_lingers_for_an_append_to_ride_on(void **state)
{
    struct fixture f;
    struct store_job one = apply_job(1, SLICE("a=1")), two = apply_job(2, SLICE("a=2"));
    struct store_job append = append_job(two_entries, 2, 1);
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    f_close(&f);
    f.linger_us = 500;
    f_open(&f, 0);
    f.is_configuration = true;
    store_push(f.store, &one);
    store_step(f.store, 1000, &next);
    assert_int_equal(completed(&f, NULL), 1); /* its answer does not wait */
    assert_int_equal(f.wakes, 1);
    assert_int_equal(store_visible(f.store), 0);
    assert_int_equal(next, 1500);
    store_push(f.store, &append); /* within that time: one commit for both */
    store_step(f.store, 1200, &next);
    assert_int_equal(store_visible(f.store), 1);
    assert_int_equal(completed(&f, NULL), 0);
    store_push(f.store, &two); /* a flush is due for the append: a commit is one, too */
    store_step(f.store, 1300, &next);
    assert_int_equal(store_visible(f.store), 2);
    assert_int_equal(completed(&f, NULL), 2);
    f_deinit(&f);
}

static void a_configuration_entry_lingers_no_longer_than_that(void **state)
{
    struct fixture f;
    struct store_job one = apply_job(1, SLICE("a=1")), two = apply_job(2, SLICE("a=2"));
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    f_close(&f);
    f.linger_us = 500;
    f_open(&f, 0);
    f.is_configuration = true;
    store_push(f.store, &one);
    store_step(f.store, 1000, &next);
    store_push(f.store, &two); /* does not begin the time again */
    store_step(f.store, 1400, &next);
    assert_int_equal(next, 1500);
    assert_int_equal(store_visible(f.store), 0);
    store_step(f.store, 1500, &next);
    assert_int_equal(store_visible(f.store), 2);
    assert_int_equal(store_revision(f.store), 2);
    f_deinit(&f);
}

static void nobody_is_woken_for_nothing(void **state)
{
    struct fixture f;
    struct store_job append = append_job(two_entries, 2, 1);
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &append);
    store_step(f.store, 0, &next); /* committed, not durable */
    assert_int_equal(f.wakes, 0);
    store_step(f.store, 0, &next);
    assert_int_equal(f.wakes, 1);
    assert_int_equal(completed(&f, NULL), 1);
    f_deinit(&f);
}

static void a_snapshot_job_needs_no_flush_of_its_own(void **state)
{
    struct fixture f;
    struct store_job append = append_job(two_entries, 2, 1);
    struct store_job snapshot = {
        .type = STORE_SNAPSHOT,
        .trailing = 1,
        .label = {.index = 2, .term = 1, .conf_index = 1, .conf = {"conf", 4}}};
    struct slice value;
    struct txn *txn;
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &append);
    store_step(f.store, 0, &next);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, NULL), 1);
    store_push(f.store, &snapshot);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, NULL), 0); /* rides on the next commit … */
    store_step(f.store, 5000, &next);
    assert_int_equal(completed(&f, NULL), 1); /* … or the lazy one */
    assert_int_equal(env_begin_read(f.s.env, &txn), GW_OK);
    assert_int_equal(txn_get_at(txn, ENV_LOG, 1, &value), GW_NOT_FOUND);
    assert_int_equal(txn_get_at(txn, ENV_LOG, 2, &value), GW_OK);
    txn_abort(txn);
    f_deinit(&f);
}

static void a_start_begins_where_the_state_ends(void **state)
{
    struct fixture f;
    struct store_job append = append_job(two_entries, 2, 1),
                     applied = apply_job(2, SLICE("b=2"));
    struct store_job vote = {.type = STORE_VOTE, .term = 3, .vote = 2};
    struct store_boot boot;
    struct error err;
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &append);
    store_push(f.store, &vote);
    store_push(f.store, &applied);
    store_step(f.store, 0, &next);
    store_step(f.store, 0, &next);
    f_close(&f);
    f_open(&f, 0);
    assert_int_equal(store_load(f.store, &boot, &err), GW_OK);
    assert_int_equal(boot.term, 3);
    assert_int_equal(boot.vote, 2);
    assert_int_equal(boot.applied, 2);
    assert_int_equal(boot.label.index, 2);
    assert_int_equal(boot.label.term, 1);
    assert_int_equal(boot.first, 1);
    assert_int_equal(boot.entry_count, 2);
    store_boot_free(&boot);
    f_deinit(&f);
}

static void an_entry_within_the_state_is_not_applied_again(void **state)
{
    struct fixture f;
    struct store_job one = apply_job(5, SLICE("a=1")), again = apply_job(4, SLICE("a=0"));
    struct record record;
    struct txn *txn;
    uint64_t next;

    (void)state;
    f_init(&f, 0);
    store_push(f.store, &one);
    store_push(f.store, &again);
    store_want_visible(f.store);
    store_step(f.store, 0, &next);
    assert_int_equal(env_begin_read(f.s.env, &txn), GW_OK);
    assert_int_equal(record_get(txn, SLICE("a"), &record), GW_OK);
    assert_true(slice_equal(record.value, SLICE("1")));
    txn_abort(txn);
    f_deinit(&f);
}

static void an_io_error_halts_and_nothing_more_is_promised(void **state)
{
    struct fixture f;
    static char large[400000];
    struct store_entry entry = {
        .term = 1, .type = STORE_COMMAND, .bytes = {large, sizeof large}};
    struct store_job jobs[6], *last = NULL;
    struct store_job first = apply_job(1, SLICE("a=1"));
    struct record record;
    struct txn *txn;
    uint64_t next;
    unsigned done = 0;

    (void)state;
    f_init(&f, 1u << 20); /* the map is full after two */
    store_push(f.store, &first);
    store_want_visible(f.store);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, NULL), 1);
    for (unsigned i = 0; i < 6; i++) {
        jobs[i] = append_job(&entry, 1, i + 1);
        store_push(f.store, &jobs[i]);
        store_step(f.store, 0, &next);
        done += completed(&f, NULL);
    }
    assert_true(store_is_halted(f.store));
    assert_int_equal(store_halt_cause(f.store), GW_IO); /* no disk will mend that */
    assert_true(done == 6);
    assert_int_equal(jobs[5].result, GW_HALTED);
    uint64_t durable = store_durable(f.store);
    struct store_job late = {.type = STORE_VOTE, .term = 9, .vote = 9};
    store_push(f.store, &late);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, &last), 1);
    assert_int_equal(last->result, GW_HALTED);
    assert_int_equal(store_durable(f.store), durable);
    /* Reading goes on. */
    assert_int_equal(env_begin_read(f.s.env, &txn), GW_OK);
    assert_int_equal(record_get(txn, SLICE("a"), &record), GW_OK);
    txn_abort(txn);
    f_deinit(&f);
}

static void run_thread(bool is_kicked)
{
    struct fixture f;
    struct store_job jobs[50];
    struct error err;
    unsigned done = 0;

    memset(&f, 0, sizeof f);
    f.is_kicked = is_kicked;
    scratch_init(&f.s);
    f_open(&f, 0);
    assert_int_equal(store_start(f.store, &err), GW_OK);
    for (unsigned i = 0; i < 50; i++) {
        jobs[i] = append_job(two_entries, 1, i + 1);
        store_push(f.store, &jobs[i]);
    }
    store_kick(f.store);
    for (unsigned tries = 0; tries < 10000 && done < 50; tries++) {
        done += completed(&f, NULL);
        usleep(1000);
    }
    assert_int_equal(done, 50);
    store_stop(f.store);
    assert_int_equal(store_durable(f.store), 50);
    f_deinit(&f);
}

static void the_thread_does_what_the_steps_do(void **state)
{
    (void)state;
    run_thread(false);
}

static void a_kick_is_enough_for_all_that_was_pushed(void **state)
{
    (void)state;
    run_thread(true);
}

/* Stages a dump of `env`, by the store; its id. */
static uint64_t stage_all(struct fixture *f, struct env *env)
{
    struct dump_source *source;
    struct dump_about about;
    struct buffer bytes;
    struct error err;
    uint64_t next;

    assert_int_equal(
        dump_source_open(&(struct dump_source_options){.env = env}, &source, &err), GW_OK);
    about = dump_source_about(source);
    buffer_init(&bytes, 0);
    for (uint64_t i = 0; i < about.count; i++) {
        struct store_job *last = NULL, stage = {.type = STORE_STAGE};
        struct dump_piece piece;

        assert_int_equal(dump_source_read(source, i, &bytes, &piece, &err), GW_OK);
        stage.bytes = piece.bytes;
        stage.rest_bytes = piece.rest_bytes;
        stage.piece = (struct staging_piece){
            .id = about.id, .number = i, .count = about.count, .is_cut = piece.is_cut};
        store_push(f->store, &stage);
        store_step(f->store, 0, &next);
        assert_int_equal(completed(f, &last), 1);
        assert_ptr_equal(last, &stage);
        assert_int_equal(stage.outcome, STAGING_TAKEN);
        assert_int_equal(stage.staging.next, i + 1);
        assert_int_equal(stage.staging.is_whole, i + 1 == about.count);
    }
    buffer_deinit(&bytes);
    dump_source_close(source);
    return about.id;
}

static void an_installed_dump_starts_no_earlier_than_its_state(void **state)
{
    struct fixture f;
    struct scratch other;
    struct buffer dump;
    struct store_job *last = NULL;
    struct store_job install = {
        .type = STORE_INSTALL,
        .label = {.index = 30, .term = 2, .conf_index = 1, .conf = {"conf", 4}}};
    struct store_boot boot;
    struct error err;
    uint64_t next;

    (void)state;
    scratch_init(&other);
    scratch_open(&other, 0);
    make_state(other.env, 10);
    buffer_init(&dump, 0);
    assert_int_equal(dump_build(other.env, &dump), GW_OK);
    f_init(&f, 0);
    install.piece.id = stage_all(&f, other.env);
    store_push(f.store, &install);
    store_step(f.store, 0, &next);
    store_step(f.store, 0, &next);
    assert_int_equal(completed(&f, &last), 1);
    assert_int_equal(last->result, GW_OK);
    assert_int_equal(store_visible(f.store), 40);
    assert_int_equal(store_load(f.store, &boot, &err), GW_OK);
    assert_int_equal(boot.label.index, 40);
    assert_int_equal(boot.first, 41);
    store_boot_free(&boot);
    /* A snapshot that the core takes below it does not pull the label down. */
    struct store_job snapshot = {
        .type = STORE_SNAPSHOT,
        .trailing = 1,
        .label = {.index = 35, .term = 2, .conf_index = 1, .conf = {"conf", 4}}};
    store_push(f.store, &snapshot);
    store_step(f.store, 0, &next);
    store_step(f.store, 5000, &next);
    assert_int_equal(store_load(f.store, &boot, &err), GW_OK);
    assert_int_equal(boot.label.index, 40);
    store_boot_free(&boot);
    buffer_deinit(&dump);
    f_deinit(&f);
    scratch_deinit(&other);
}

static void a_new_clusters_log_begins_with_its_configuration(void **state)
{
    struct fixture f;
    struct store_boot boot;
    struct error err;

    (void)state;
    f_init(&f, 0);
    assert_int_equal(store_bootstrap(f.s.env, SLICE("conf"), two_entries, 2, &err), GW_OK);
    assert_int_equal(store_bootstrap(f.s.env, SLICE("conf"), two_entries, 2, &err),
                     GW_CONFLICT);
    assert_int_equal(store_load(f.store, &boot, &err), GW_OK);
    assert_int_equal(boot.term, 1);
    assert_int_equal(boot.entry_count, 3);
    assert_int_equal(boot.entries[0].type, STORE_CHANGE);
    assert_int_equal(boot.label.index, 0);
    store_boot_free(&boot);
    f_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_completes_only_once_it_is_durable),
        cmocka_unit_test(the_next_commit_makes_the_one_before_durable),
        cmocka_unit_test(applied_state_is_answered_at_once_and_visible_lazily),
        cmocka_unit_test(a_waiting_reader_makes_state_visible_now),
        cmocka_unit_test(a_configuration_entry_is_visible_at_once),
        cmocka_unit_test(a_configuration_entry_lingers_for_an_append_to_ride_on),
        cmocka_unit_test(a_configuration_entry_lingers_no_longer_than_that),
        cmocka_unit_test(nobody_is_woken_for_nothing),
        cmocka_unit_test(a_snapshot_job_needs_no_flush_of_its_own),
        cmocka_unit_test(a_start_begins_where_the_state_ends),
        cmocka_unit_test(an_entry_within_the_state_is_not_applied_again),
        cmocka_unit_test(an_io_error_halts_and_nothing_more_is_promised),
        cmocka_unit_test(the_thread_does_what_the_steps_do),
        cmocka_unit_test(a_kick_is_enough_for_all_that_was_pushed),
        cmocka_unit_test(an_installed_dump_starts_no_earlier_than_its_state),
        cmocka_unit_test(a_new_clusters_log_begins_with_its_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
