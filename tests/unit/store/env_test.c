/* The env on LMDB: transactions, locks, identity, and damage of every kind. */
#include "tests/unit/store/scratch.h"

#include "base/hash.h"

static void what_was_committed_is_read_back(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct slice value;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    put_text(txn, ENV_RECORDS, "route/a", "one");
    assert_int_equal(txn_put_at(txn, ENV_LOG, 300, SLICE("three hundred")), GW_OK);
    assert_int_equal(txn_put_at(txn, ENV_LOG, 20, SLICE("twenty")), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    scratch_close(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_read(s.env, &txn), GW_OK);
    assert_int_equal(txn_get(txn, ENV_RECORDS, SLICE("route/a"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("one")));
    assert_int_equal(txn_get_at(txn, ENV_LOG, 20, &value), GW_OK);
    assert_true(slice_equal(value, SLICE("twenty")));
    assert_int_equal(txn_get(txn, ENV_RECORDS, SLICE("route/b"), &value), GW_NOT_FOUND);
    assert_int_equal(txn_get(txn, ENV_RECORDS, SLICE(""), &value), GW_NOT_FOUND);
    txn_abort(txn);
    scratch_deinit(&s);
}

static void an_aborted_write_left_nothing(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct slice value;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    put_text(txn, ENV_RECORDS, "route/a", "one");
    txn_abort(txn);
    assert_int_equal(env_begin_read(s.env, &txn), GW_OK);
    assert_int_equal(txn_get(txn, ENV_RECORDS, SLICE("route/a"), &value), GW_NOT_FOUND);
    txn_abort(txn);
    scratch_deinit(&s);
}

static void small_things_put_again_and_again_are_what_they_came_to(void **state)
{
    static const char long_value[100] = "long";
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct scratch s;
    struct txn *txn;
    struct slice value;
    struct cursor *cursor;
    uint64_t before, count;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    assert_int_equal(txn_count(txn, ENV_META, &before), GW_OK);
    for (unsigned i = 0; i < 8; i++) { /* more than are kept */
        put_text(txn, ENV_META, names[i], "first");
        put_text(txn, ENV_META, names[i], "second");
    }
    assert_int_equal(txn_get(txn, ENV_META, SLICE("a"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("second")));
    assert_int_equal(txn_put(txn, ENV_META, SLICE("a"), slice_from(value, 3)), GW_OK);
    assert_int_equal(txn_put(txn, ENV_META, SLICE("b"), slice_of(long_value, 100)), GW_OK);
    assert_int_equal(txn_delete(txn, ENV_META, SLICE("c")), GW_OK);
    assert_int_equal(txn_get(txn, ENV_META, SLICE("c"), &value), GW_NOT_FOUND);
    /* Who walks or counts sees them. */
    assert_int_equal(txn_count(txn, ENV_META, &count), GW_OK);
    assert_int_equal(count, before + 7);
    assert_int_equal(cursor_open(txn, ENV_META, SLICE("a"), &cursor), GW_OK);
    assert_true(slice_equal(cursor_key(cursor), SLICE("a")));
    assert_true(slice_equal(cursor_value(cursor), SLICE("ond")));
    cursor_close(cursor);
    put_text(txn, ENV_META, "d", "third");
    assert_int_equal(txn_commit(txn), GW_OK);

    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    put_text(txn, ENV_META, "d", "dropped");
    txn_abort(txn);
    assert_int_equal(env_begin_read(s.env, &txn), GW_OK);
    assert_int_equal(txn_get(txn, ENV_META, SLICE("a"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("ond")));
    assert_int_equal(txn_get(txn, ENV_META, SLICE("b"), &value), GW_OK);
    assert_int_equal(value.size, 100);
    assert_int_equal(txn_get(txn, ENV_META, SLICE("c"), &value), GW_NOT_FOUND);
    assert_int_equal(txn_get(txn, ENV_META, SLICE("d"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("third")));
    assert_int_equal(txn_get(txn, ENV_META, SLICE("h"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("second")));
    txn_abort(txn);
    scratch_deinit(&s);
}

static void cursors_walk_in_order_and_ranges_go(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct cursor *cursor;
    uint64_t count, expected = 100;
    enum result result;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(txn_put_at(txn, ENV_LOG, i * 257 % 1009, SLICE("x")), GW_OK);
    assert_int_equal(txn_delete_range(txn, ENV_LOG, 0, 99), GW_OK);
    assert_int_equal(txn_delete_range(txn, ENV_LOG, 900, UINT64_MAX), GW_OK);
    for (result = cursor_open_at(txn, ENV_LOG, 0, &cursor); result == GW_OK;
         result = cursor_next(cursor)) {
        assert_true(cursor_index(cursor) >= expected);
        expected = cursor_index(cursor) + 1;
    }
    assert_int_equal(result, GW_NOT_FOUND);
    cursor_close(cursor);
    assert_true(expected <= 900);
    assert_int_equal(txn_clear(txn, ENV_LOG), GW_OK);
    assert_int_equal(txn_count(txn, ENV_LOG, &count), GW_OK);
    assert_int_equal(count, 0);
    txn_abort(txn);
    scratch_deinit(&s);
}

static void a_second_opener_is_told_who_has_it(void **state)
{
    struct scratch s;
    struct env *second = NULL;
    struct error err;
    char expected[64];

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_open(&(struct env_options){.dir = s.dir}, &second, &err),
                     GW_LOCKED);
    snprintf(expected, sizeof expected, "data directory in use by process %ld",
             (long)getpid());
    assert_non_null(strstr(err.text, expected));
    scratch_deinit(&s);
}

static void an_absent_directory_is_not_found(void **state)
{
    struct scratch s;
    struct env *env = NULL;
    struct error err;

    (void)state;
    scratch_init(&s);
    assert_int_equal(env_open(&(struct env_options){.dir = s.dir}, &env, &err),
                     GW_NOT_FOUND);
    scratch_deinit(&s);
}

static void another_clusters_directory_is_foreign_and_a_newer_one_newer(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct env *env = NULL;
    struct error err;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    put_text(txn, ENV_META, "cluster", "ours");
    assert_int_equal(txn_commit(txn), GW_OK);
    scratch_close(&s);
    assert_int_equal(
        env_open(&(struct env_options){.dir = s.dir, .cluster_id = "theirs"}, &env, &err),
        GW_FOREIGN);
    assert_non_null(strstr(err.text, "belongs to cluster ours"));
    assert_int_equal(
        env_open(&(struct env_options){.dir = s.dir, .cluster_id = "ours"}, &s.env, &err),
        GW_OK);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    put_text(txn, ENV_META, "format", "3");
    assert_int_equal(txn_commit(txn), GW_OK);
    scratch_close(&s);
    assert_int_equal(env_open(&(struct env_options){.dir = s.dir}, &env, &err), GW_NEWER);
    scratch_deinit(&s);
}

static void a_full_map_is_an_error_not_a_crash(void **state)
{
    struct scratch s;
    struct txn *txn;
    static char large[100000];
    enum result result = GW_OK;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 1u << 20);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    for (uint64_t i = 1; i < 100 && result == GW_OK; i++)
        result = txn_put_at(txn, ENV_LOG, i, slice_of(large, sizeof large));
    assert_int_equal(result, GW_IO);
    txn_abort(txn);
    scratch_deinit(&s);
}

/* --- damage --- */

static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    char *bytes;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    bytes = malloc((size_t)st.st_size + 1);
    *ret_size = fread(bytes, 1, (size_t)st.st_size, file);
    fclose(file);
    return bytes;
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A hash over all that the tables say. */
static uint64_t content_of(struct env *env)
{
    uint64_t sum = 0;
    struct txn *txn;

    assert_int_equal(env_begin_read(env, &txn), GW_OK);
    for (unsigned table = 0; table < ENV_TABLES; table++) {
        struct cursor *cursor;
        enum result result;
        for (result =
                 cursor_open(txn, (enum env_table)table, (struct slice){"", 0}, &cursor);
             result == GW_OK; result = cursor_next(cursor))
            sum = sum * 31 + hash_stable_seeded(cursor_value(cursor),
                                                hash_stable(cursor_key(cursor)) + table);
        assert_int_equal(result, GW_NOT_FOUND);
        cursor_close(cursor);
    }
    txn_abort(txn);
    return sum;
}

static void fill(struct env *env)
{
    struct txn *txn;
    char key[64], value[400], large[20000];

    for (unsigned round = 0; round < 4; round++) {
        assert_int_equal(env_begin_write(env, &txn), GW_OK);
        for (unsigned i = 0; i < 150; i++) {
            snprintf(key, sizeof key, "route/r%u-%u", round, i);
            memset(value, (int)('a' + i % 26), sizeof value);
            assert_int_equal(
                txn_put(txn, ENV_RECORDS, slice_from_string(key), slice_of(value, i * 2)),
                GW_OK);
            assert_int_equal(
                txn_put_at(txn, ENV_LOG, round * 150 + i + 1, slice_of(value, 100)), GW_OK);
        }
        memset(large, 'L', sizeof large);
        assert_int_equal(
            txn_put_at(txn, ENV_HISTORY, round + 1, slice_of(large, sizeof large)), GW_OK);
        put_text(txn, ENV_META, "vote", "term and vote");
        if (round > 0)
            assert_int_equal(txn_delete_range(txn, ENV_LOG, 1, round * 50), GW_OK);
        assert_int_equal(txn_commit(txn), GW_OK);
    }
}

struct damage {
    struct scratch s;
    char path[128], clean[128];
    char *bytes;
    size_t size;
    uint64_t content;
    unsigned refused, harmless;
};

static void damage_init(struct damage *d)
{
    memset(d, 0, sizeof *d);
    scratch_init(&d->s);
    scratch_open(&d->s, 0);
    fill(d->s.env);
    d->content = content_of(d->s.env);
    scratch_close(&d->s);
    snprintf(d->path, sizeof d->path, "%s/data.mdb", d->s.dir);
    snprintf(d->clean, sizeof d->clean, "%s/clean", d->s.dir);
    d->bytes = read_file(d->path, &d->size);
    assert_true(d->size > 100000);
}

static void damage_deinit(struct damage *d)
{
    free(d->bytes);
    scratch_deinit(&d->s);
}

/* Writes `bytes` as the data file and opens it: either refused with one clear
 * error and the file untouched, or everything is as it was. */
static void try_damaged(struct damage *d, const char *bytes, size_t size)
{
    struct env *env = NULL;
    struct error err;
    enum result result;

    write_file(d->path, bytes, size);
    result = env_open(&(struct env_options){.dir = d->s.dir, .map_size_bytes = 1u << 28},
                      &env, &err);
    if (result == GW_OK) {
        if (content_of(env) != d->content)
            fail_msg("an older or other state was opened");
        env_close(env);
        d->harmless++;
        return;
    }
    if (result != GW_DAMAGED)
        fail_msg("%s", err.text);
    assert_non_null(strstr(err.text, "data.mdb"));
    assert_non_null(strstr(err.text, "join again"));
    assert_null(strchr(err.text, '\n'));
    size_t after;
    char *now = read_file(d->path, &after);
    assert_true(after == size && memcmp(now, bytes, size) == 0);
    free(now);
    d->refused++;
}

static void any_flipped_bit_is_refused_or_harmless(void **state)
{
    struct damage d;
    struct rng rng;

    (void)state;
    damage_init(&d);
    rng_init(&rng, 1);
    try_damaged(&d, d.bytes, d.size);
    assert_int_equal(d.harmless, 1);
    for (unsigned i = 0; i < 300; i++) {
        size_t at = rng_below(&rng, d.size);
        char bit = (char)(1 << rng_below(&rng, 8));

        d.bytes[at] ^= bit;
        try_damaged(&d, d.bytes, d.size);
        d.bytes[at] ^= bit;
    }
    assert_true(d.refused > 100); /* pages are not all full; most of this file is data */
    damage_deinit(&d);
}

static void a_flipped_bit_in_a_meta_page_is_refused_or_harmless(void **state)
{
    struct damage d;

    (void)state;
    damage_init(&d);
    for (size_t page = 0; page < 2; page++) {
        for (size_t at = 0; at < 152; at += 1) {
            size_t place = page * 4096 + at;
            char bit = (char)(1 << (at % 8));

            d.bytes[place] ^= bit;
            try_damaged(&d, d.bytes, d.size);
            d.bytes[place] ^= bit;
        }
        for (unsigned bit = 0; bit < 64; bit++) { /* the transaction's number */
            size_t place = page * 4096 + 144 + bit / 8;

            d.bytes[place] ^= (char)(1 << bit % 8);
            unsigned refused = d.refused;
            try_damaged(&d, d.bytes, d.size);
            assert_int_equal(d.refused, refused + 1);
            d.bytes[place] ^= (char)(1 << bit % 8);
        }
    }
    damage_deinit(&d);
}

static void a_flipped_bit_in_a_value_names_table_and_key(void **state)
{
    struct damage d;
    struct env *env = NULL;
    struct error err;
    char *place;

    (void)state;
    damage_init(&d);
    place = memmem(d.bytes, d.size, "term and vote", 13);
    while (place != NULL) { /* older copies of the page have it too */
        *place ^= 1;
        place =
            memmem(place + 1, d.size - (size_t)(place + 1 - d.bytes), "term and vote", 13);
    }
    write_file(d.path, d.bytes, d.size);
    assert_int_equal(env_open(&(struct env_options){.dir = d.s.dir}, &env, &err),
                     GW_DAMAGED);
    assert_non_null(strstr(err.text, "table meta, key 'vote': wrong checksum"));
    damage_deinit(&d);
}

static void a_truncated_file_is_refused(void **state)
{
    struct damage d;
    static const size_t sizes[] = {0,    1,    100,   151,   4095,  4096,
                                   5000, 8192, 12288, 20000, 65536, 100000};

    (void)state;
    damage_init(&d);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        try_damaged(&d, d.bytes, sizes[i]);
    try_damaged(&d, d.bytes, d.size - 4096);
    assert_int_equal(d.refused, sizeof sizes / sizeof *sizes + 1);
    damage_deinit(&d);
}

static void garbage_is_refused(void **state)
{
    struct damage d;
    struct rng rng;
    char *garbage;

    (void)state;
    damage_init(&d);
    garbage = malloc(d.size);
    rng_init(&rng, 7);
    for (unsigned round = 0; round < 40; round++) {
        memcpy(garbage, d.bytes, d.size);
        /* Whole at first; then only from some page on, so that the metas are sound. */
        size_t from = round < 5 ? 0 : 4096 * (2 + rng_below(&rng, d.size / 4096 - 2));
        size_t size = round < 5 ? d.size : 4096;
        for (size_t i = from; i < from + size && i < d.size; i++)
            garbage[i] = (char)rng_next(&rng);
        try_damaged(&d, garbage, d.size);
    }
    assert_true(d.refused >= 20);
    free(garbage);
    damage_deinit(&d);
}

/* What a crash in the middle of a commit may leave: any of the new pages written,
 * the meta page not. The walk must find nothing wrong with that. */
static void a_torn_commit_is_no_damage(void **state)
{
    struct scratch s, copy;
    struct rng rng;
    char path[128], copy_path[128], key[32], value[6000];
    char *before = NULL;
    size_t before_size = 0;
    uint64_t content = 0;

    (void)state;
    rng_init(&rng, 3);
    scratch_init(&s);
    scratch_init(&copy);
    scratch_open(&s, 0);
    snprintf(path, sizeof path, "%s/data.mdb", s.dir);
    snprintf(copy_path, sizeof copy_path, "%s/data.mdb", copy.dir);
    memset(value, 'v', sizeof value);
    for (unsigned round = 0; round < 300; round++) {
        struct txn *txn;

        assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
        for (uint64_t i = rng_below(&rng, round % 50 == 0 ? 400 : 12); i > 0; i--) {
            snprintf(key, sizeof key, "route/%u", (unsigned)rng_below(&rng, 3000));
            struct slice k = slice_from_string(key);
            if (rng_chance(&rng, 300))
                assert_int_equal(txn_delete(txn, ENV_RECORDS, k), GW_OK);
            else
                assert_int_equal(txn_put(txn, ENV_RECORDS, k,
                                         slice_of(value, rng_below(&rng, sizeof value))),
                                 GW_OK);
        }
        assert_int_equal(txn_put_at(txn, ENV_LOG, round + 1, slice_of(value, 100)), GW_OK);
        if (round > 30)
            assert_int_equal(txn_delete_range(txn, ENV_LOG, 0, round - 20), GW_OK);
        if (round == 150)
            assert_int_equal(txn_clear(txn, ENV_RECORDS), GW_OK);
        assert_int_equal(txn_commit(txn), GW_OK);

        size_t size;
        char *now = read_file(path, &size);
        if (before != NULL && round % 3 == 0) {
            struct env *env = NULL;
            struct error err;

            for (size_t page = 2; page < size / 4096; page++)
                if (page * 4096 < before_size && rng_chance(&rng, 500))
                    memcpy(now + page * 4096, before + page * 4096, 4096);
            memcpy(now, before, 8192);
            write_file(copy_path, now, size);
            if (env_open(&(struct env_options){.dir = copy.dir, .map_size_bytes = 1u << 28},
                         &env, &err) != GW_OK)
                fail_msg("round %u: %s", round, err.text);
            if (content_of(env) != content)
                fail_msg("round %u: another state", round);
            env_close(env);
            free(now);
            now = read_file(path, &size);
        }
        free(before);
        before = now;
        before_size = size;
        content = content_of(s.env);
    }
    free(before);
    scratch_deinit(&copy);
    scratch_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_is_read_back),
        cmocka_unit_test(an_aborted_write_left_nothing),
        cmocka_unit_test(small_things_put_again_and_again_are_what_they_came_to),
        cmocka_unit_test(cursors_walk_in_order_and_ranges_go),
        cmocka_unit_test(a_second_opener_is_told_who_has_it),
        cmocka_unit_test(an_absent_directory_is_not_found),
        cmocka_unit_test(another_clusters_directory_is_foreign_and_a_newer_one_newer),
        cmocka_unit_test(a_full_map_is_an_error_not_a_crash),
        cmocka_unit_test(any_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(a_flipped_bit_in_a_meta_page_is_refused_or_harmless),
        cmocka_unit_test(a_flipped_bit_in_a_value_names_table_and_key),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(a_torn_commit_is_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
