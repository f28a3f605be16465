/* A disk without room, and one that is broken: this file is both. What LMDB and the env
 * call to write ends here first. */
#include "tests/unit/store/scratch.h"

#include "store/store.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int fails_with;    /* every write of pages: this errno; 0: goes well */
static bool is_cut_short; /* every write of pages does half of it */
static int sync_fails;    /* every flush: this errno */
static uint64_t room = 1ull << 40;

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (fails_with != 0) {
        errno = fails_with;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, is_cut_short ? size / 2 : size, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (fails_with != 0) {
        errno = fails_with;
        return -1;
    }
    return syscall(SYS_pwritev, fd, parts, is_cut_short ? 1 : count, offset, 0);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fails_with != 0) {
        errno = fails_with;
        return -1;
    }
    return syscall(SYS_writev, fd, parts, is_cut_short ? 1 : count);
}

int fdatasync(int fd)
{
    if (sync_fails != 0) {
        errno = sync_fails;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int statvfs(const char *path, struct statvfs *ret_fs)
{
    (void)path;
    memset(ret_fs, 0, sizeof *ret_fs);
    ret_fs->f_frsize = 4096;
    ret_fs->f_bavail = room / 4096;
    return 0;
}

static int setup(void **state)
{
    static struct scratch s;

    fails_with = sync_fails = 0;
    is_cut_short = false;
    room = 1ull << 40;
    scratch_init(&s);
    scratch_open(&s, 0);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    fails_with = sync_fails = 0;
    is_cut_short = false;
    scratch_deinit(*state);
    return 0;
}

/* Several pages, so that a short write is one. */
static enum result write_some(struct scratch *s, const char *key)
{
    static char large[20000];
    struct txn *txn;

    memset(large, 'x', sizeof large);
    assert_int_equal(env_begin_write(s->env, &txn), GW_OK);
    assert_int_equal(
        txn_put(txn, ENV_RECORDS, slice_from_string(key), slice_of(large, sizeof large)),
        GW_OK);
    return txn_commit(txn);
}

static bool has(struct scratch *s, const char *key)
{
    struct slice value;
    struct txn *txn;

    assert_int_equal(env_begin_read(s->env, &txn), GW_OK);
    enum result result = txn_get(txn, ENV_RECORDS, slice_from_string(key), &value);
    txn_abort(txn);
    return result == GW_OK;
}

static void no_room_is_told_and_leaves_nothing_behind(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT};

    for (unsigned i = 0; i < 2; i++) {
        fails_with = errors[i];
        assert_int_equal(write_some(*state, "route/a"), GW_DISK_LOW);
        assert_int_equal(env_prove(((struct scratch *)*state)->env), GW_DISK_LOW);
        fails_with = 0;
        assert_false(has(*state, "route/a"));
    }
}

static void a_write_cut_short_is_no_room_where_there_is_none(void **state)
{
    is_cut_short = true;
    assert_int_equal(write_some(*state, "route/a"), GW_IO); /* plenty of room */
    room = 100u << 10;
    assert_int_equal(write_some(*state, "route/a"), GW_DISK_LOW);
    is_cut_short = false;
    assert_false(has(*state, "route/a"));
}

static void a_broken_disk_is_no_full_one(void **state)
{
    fails_with = EIO;
    assert_int_equal(write_some(*state, "route/a"), GW_IO);
    fails_with = 0;
    sync_fails = EIO;
    assert_int_equal(write_some(*state, "route/a"), GW_IO);
    sync_fails = 0;
    assert_false(has(*state, "route/a"));
}

static void with_room_again_all_goes_on(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(write_some(s, "route/before"), GW_OK);
    sync_fails = ENOSPC;
    assert_int_equal(write_some(s, "route/lost"), GW_DISK_LOW);
    assert_int_equal(env_sync(s->env), GW_DISK_LOW);
    assert_int_equal(env_prove(s->env), GW_DISK_LOW);
    sync_fails = 0;
    assert_int_equal(env_prove(s->env), GW_OK);
    assert_true(has(s, "route/before"));
    assert_false(has(s, "route/lost"));
    assert_int_equal(write_some(s, "route/after"), GW_OK);
    scratch_close(s);
    scratch_open(s, 0);
    assert_true(has(s, "route/before") && has(s, "route/after"));
}

static struct store *open_store(struct scratch *s)
{
    struct store *store;
    struct error err;

    assert_int_equal(
        store_open(&(struct store_options){.env = s->env, .lazy_us = 5000}, &store, &err),
        GW_OK);
    return store;
}

static enum result vote(struct store *store, uint64_t term)
{
    struct store_job job = {.type = STORE_VOTE, .term = term, .vote = 1};
    struct list_link completed;
    uint64_t next;

    list_init(&completed);
    store_push(store, &job);
    store_step(store, 0, &next);
    store_step(store, 0, &next);
    store_take_completed(store, &completed);
    assert_false(list_is_empty(&completed));
    return job.result;
}

static uint64_t term_of(struct store *store)
{
    struct store_boot boot;
    struct error err;

    assert_int_equal(store_load(store, &boot, &err), GW_OK);
    uint64_t term = boot.term;
    store_boot_free(&boot);
    return term;
}

static void a_store_without_room_halts_and_another_goes_on(void **state)
{
    struct scratch *s = *state;
    struct store *store = open_store(s);

    assert_int_equal(vote(store, 3), GW_OK);
    assert_int_equal(store_halt_cause(store), GW_OK);
    fails_with = ENOSPC;
    assert_int_equal(vote(store, 4), GW_HALTED);
    assert_int_equal(store_halt_cause(store), GW_DISK_LOW);
    fails_with = 0;
    assert_int_equal(vote(store, 5), GW_HALTED); /* never again by this one */
    store_close(store);
    assert_int_equal(env_prove(s->env), GW_OK);
    store = open_store(s);
    assert_int_equal(term_of(store), 3);
    assert_int_equal(vote(store, 6), GW_OK);
    assert_int_equal(term_of(store), 6);
    store_close(store);
}

static void a_start_needs_no_room(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(write_some(s, "route/before"), GW_OK);
    scratch_close(s);
    fails_with = ENOSPC;
    room = 0;
    scratch_open(s, 0);
    assert_true(has(s, "route/before"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_room_is_told_and_leaves_nothing_behind),
        TEST(a_write_cut_short_is_no_room_where_there_is_none),
        TEST(a_broken_disk_is_no_full_one),
        TEST(with_room_again_all_goes_on),
        TEST(a_store_without_room_halts_and_another_goes_on),
        TEST(a_start_needs_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
