/* A dump on its way into the store: piece by piece, crashes, damage, another dump. */
#include "tests/unit/store/scratch.h"

#include "store/dump.h"
#include "store/dump_source.h"
#include "store/history.h"
#include "store/meta.h"
#include "store/staging.h"

static void make_state(struct env *env, unsigned records, uint64_t applied, size_t largest)
{
    struct record_state state = {
        .applied = applied, .revision = applied - 1, .conf_sequence = 3, .now_ms = 5};
    struct store_entry entry = {.term = 2, .type = STORE_COMMAND, .bytes = {"x", 1}};
    char key[32], *value = calloc(1, largest);
    struct buffer scratch;
    struct txn *txn;

    assert_non_null(value);
    buffer_init(&scratch, 0);
    assert_int_equal(env_begin_write(env, &txn), GW_OK);
    for (unsigned i = 0; i < records; i++) {
        snprintf(key, sizeof key, "route/%u", i);
        assert_int_equal(record_put(txn, slice_from_string(key),
                                    slice_of(value, i == 3 ? largest : 300), i + 1),
                         GW_OK);
    }
    put_text(txn, ENV_SESSIONS, "csession", "answer");
    assert_int_equal(history_append(txn, applied - 1, SLICE("entry")), GW_OK);
    assert_int_equal(meta_entry_put(txn, applied, &entry, &scratch), GW_OK);
    assert_int_equal(txn_put_at(txn, ENV_CONF, 1, SLICE("conf")), GW_OK);
    assert_int_equal(record_state_put(txn, &state), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    buffer_deinit(&scratch);
    free(value);
}

static struct record_state state_of(struct env *env)
{
    struct record_state state;
    struct txn *txn;

    assert_int_equal(env_begin_read(env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &state), GW_OK);
    txn_abort(txn);
    return state;
}

static uint64_t rows_of(struct env *env, enum env_table table)
{
    struct txn *txn;
    uint64_t rows;

    assert_int_equal(env_begin_read(env, &txn), GW_OK);
    assert_int_equal(txn_count(txn, table, &rows), GW_OK);
    txn_abort(txn);
    return rows;
}

/* Two envs: what one has is to come to the other. */
struct pair {
    struct scratch from, to;
    struct dump_source *source;
    struct dump_about about;
    struct buffer bytes;
    struct staging staging; /* as the last put left it */
};

static void pair_init(struct pair *pair, unsigned records, size_t chunk, size_t piece,
                      const char *dir)
{
    struct error err;

    memset(pair, 0, sizeof *pair);
    scratch_init(&pair->from);
    scratch_init(&pair->to);
    scratch_open(&pair->from, 0);
    scratch_open(&pair->to, 0);
    make_state(pair->from.env, records, 40, 5000);
    make_state(pair->to.env, 2, 10, 300);
    if (dump_source_open(&(struct dump_source_options){.env = pair->from.env,
                                                       .dir = dir,
                                                       .chunk_bytes = chunk,
                                                       .piece_bytes = piece},
                         &pair->source, &err) != GW_OK)
        fail_msg("%s", err.text);
    pair->about = dump_source_about(pair->source);
    buffer_init(&pair->bytes, 0);
}

static void pair_deinit(struct pair *pair)
{
    buffer_deinit(&pair->bytes);
    dump_source_close(pair->source);
    scratch_deinit(&pair->from);
    scratch_deinit(&pair->to);
}

static struct staging_piece piece_of(struct pair *pair, uint64_t number)
{
    struct dump_piece piece;
    struct error err;

    assert_int_equal(dump_source_read(pair->source, number, &pair->bytes, &piece, &err),
                     GW_OK);
    return (struct staging_piece){.id = pair->about.id,
                                  .number = number,
                                  .count = pair->about.count,
                                  .is_cut = piece.is_cut,
                                  .bytes = piece.bytes};
}

/* One piece in a transaction of its own, which is committed, or dropped as by a crash. */
static enum staging_outcome put(struct pair *pair, const struct staging_piece *piece,
                                bool is_committed)
{
    enum staging_outcome outcome;
    struct txn *txn;

    assert_int_equal(env_begin_write(pair->to.env, &txn), GW_OK);
    assert_int_equal(staging_put(txn, piece, &pair->staging, &outcome), GW_OK);
    if (is_committed)
        assert_int_equal(txn_commit(txn), GW_OK);
    else
        txn_abort(txn);
    return outcome;
}

static enum staging_outcome put_number(struct pair *pair, uint64_t number)
{
    struct staging_piece piece = piece_of(pair, number);

    return put(pair, &piece, true);
}

static void put_all(struct pair *pair)
{
    for (uint64_t i = 0; i < pair->about.count; i++)
        assert_int_equal(put_number(pair, i), STAGING_TAKEN);
}

static void install(struct pair *pair)
{
    struct txn *txn;

    assert_true(pair->staging.is_whole);
    assert_int_equal(env_begin_write(pair->to.env, &txn), GW_OK);
    assert_int_equal(staging_install(txn, &pair->staging), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
}

static void expect_the_new_state(struct pair *pair)
{
    struct record_state from = state_of(pair->from.env), to = state_of(pair->to.env);

    assert_memory_equal(&from, &to, sizeof from);
    for (enum env_table table = 0; table < ENV_TABLES; table++)
        if (table == ENV_RECORDS || table == ENV_HISTORY || table == ENV_SESSIONS)
            assert_int_equal(rows_of(pair->to.env, table), rows_of(pair->from.env, table));
    assert_int_equal(rows_of(pair->to.env, ENV_STAGING), 0);
}

static void a_dump_comes_in_by_pieces(void **state)
{
    struct pair pair;

    (void)state;
    /* The large record is an item of several pieces. */
    pair_init(&pair, 50, 1000, 700, NULL);
    assert_true(pair.about.count > 20);
    put_all(&pair);
    assert_int_equal(pair.staging.index, 40);
    assert_int_equal(pair.staging.term, 2);
    assert_int_equal(pair.staging.bytes, pair.about.bytes);
    assert_int_equal(state_of(pair.to.env).applied, 10); /* nothing is replaced yet */
    install(&pair);
    expect_the_new_state(&pair);
    pair_deinit(&pair);
}

static void a_source_in_a_file_gives_the_same_bytes(void **state)
{
    struct pair pair;
    struct buffer whole, pieces;

    (void)state;
    pair_init(&pair, 2000, 0, 0, "/tmp");
    buffer_init(&whole, 0);
    buffer_init(&pieces, 0);
    assert_int_equal(dump_build(pair.from.env, &whole), GW_OK);
    for (uint64_t i = 0; i < pair.about.count; i++) {
        struct staging_piece piece = piece_of(&pair, i);
        assert_true(buffer_append_slice(&pieces, piece.bytes));
    }
    assert_true(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
    pair_deinit(&pair);
}

static void a_source_leaves_room_for_the_log(void **state)
{
    struct dump_source *source = NULL;
    struct scratch s;
    struct error err;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    make_state(s.env, 3, 40, 300);
    assert_int_equal(dump_source_open(
                         &(struct dump_source_options){
                             .env = s.env, .dir = s.dir, .spare_bytes = 1ull << 60},
                         &source, &err),
                     GW_IO);
    assert_non_null(strstr(err.text, "no room for a dump"));
    assert_null(source);
    scratch_deinit(&s);
}

/* Power may fail between any two pieces, and inside any transaction: the env is closed
 * and opened, what was not committed is gone. */
static void a_crash_at_any_point_leaves_a_state_and_what_was_committed(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, 30, 900, 600, NULL);
    for (uint64_t i = 0; i < pair.about.count; i++) {
        struct staging_piece piece = piece_of(&pair, i);
        struct txn *txn;

        assert_int_equal(put(&pair, &piece, false), STAGING_TAKEN);
        scratch_close(&pair.to);
        scratch_open(&pair.to, 0);
        assert_int_equal(state_of(pair.to.env).applied, 10);
        assert_int_equal(env_begin_read(pair.to.env, &txn), GW_OK);
        assert_int_equal(staging_get(txn, &pair.staging), GW_OK);
        txn_abort(txn);
        assert_int_equal(pair.staging.next, i);
        assert_false(pair.staging.is_whole);
        assert_int_equal(put_number(&pair, i), STAGING_TAKEN);
    }
    /* And in the middle of the install. */
    struct txn *txn;
    assert_int_equal(env_begin_write(pair.to.env, &txn), GW_OK);
    assert_int_equal(staging_install(txn, &pair.staging), GW_OK);
    txn_abort(txn);
    assert_int_equal(state_of(pair.to.env).applied, 10);
    assert_int_equal(rows_of(pair.to.env, ENV_RECORDS), 2);
    install(&pair);
    expect_the_new_state(&pair);
    pair_deinit(&pair);
}

static void what_is_not_next_is_left_out(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, 30, 900, 600, NULL);
    assert_int_equal(put_number(&pair, 1), STAGING_PASSED); /* of no dump that is known */
    assert_int_equal(put_number(&pair, 0), STAGING_TAKEN);
    assert_int_equal(put_number(&pair, 0), STAGING_PASSED);
    assert_int_equal(put_number(&pair, 2), STAGING_PASSED);
    assert_int_equal(put_number(&pair, 1), STAGING_TAKEN);
    assert_int_equal(put_number(&pair, 0), STAGING_PASSED);
    assert_int_equal(pair.staging.next, 2);
    for (uint64_t i = 2; i < pair.about.count; i++)
        assert_int_equal(put_number(&pair, i), STAGING_TAKEN);
    assert_int_equal(put_number(&pair, pair.about.count - 1), STAGING_PASSED);
    install(&pair);
    expect_the_new_state(&pair);
    pair_deinit(&pair);
}

static void another_dump_drops_what_there_was(void **state)
{
    struct pair pair, other;

    (void)state;
    pair_init(&pair, 30, 900, 600, NULL);
    pair_init(&other, 31, 900, 600, NULL);
    assert_true(pair.about.id != other.about.id);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(put_number(&pair, i), STAGING_TAKEN);
    /* Not by a piece in its middle. */
    struct staging_piece piece = piece_of(&other, 5);
    assert_int_equal(put(&pair, &piece, true), STAGING_PASSED);
    assert_int_equal(pair.staging.next, 10);
    piece = piece_of(&other, 0);
    assert_int_equal(put(&pair, &piece, true), STAGING_TAKEN);
    assert_int_equal(pair.staging.id, other.about.id);
    assert_int_equal(rows_of(pair.to.env, ENV_STAGING), 2); /* and what is there */
    assert_int_equal(put_number(&pair, 10), STAGING_PASSED);
    for (uint64_t i = 1; i < other.about.count; i++) {
        piece = piece_of(&other, i);
        assert_int_equal(put(&pair, &piece, true), STAGING_TAKEN);
    }
    install(&pair);
    assert_int_equal(rows_of(pair.to.env, ENV_RECORDS), 31);
    pair_deinit(&pair);
    pair_deinit(&other);
}

/* One bit wrong anywhere: the whole is dropped when the last piece shows it, and can come
 * again. */
static void a_damaged_piece_is_found_and_nothing_of_it_stays(void **state)
{
    struct pair pair;
    struct rng rng;

    (void)state;
    rng_init(&rng, 3);
    pair_init(&pair, 30, 900, 600, NULL);
    for (uint64_t broken = 0; broken < pair.about.count; broken++) {
        enum staging_outcome outcome = STAGING_TAKEN;

        for (uint64_t i = 0; i < pair.about.count && outcome == STAGING_TAKEN; i++) {
            struct staging_piece piece = piece_of(&pair, i);
            if (i == broken)
                pair.bytes.data[rng_below(&rng, pair.bytes.size)] ^=
                    (char)(1 << rng_below(&rng, 8));
            outcome = put(&pair, &piece, true);
        }
        assert_int_equal(outcome, STAGING_DAMAGED);
        assert_int_equal(pair.staging.id, 0);
        assert_int_equal(rows_of(pair.to.env, ENV_STAGING), 0);
        assert_int_equal(state_of(pair.to.env).applied, 10);
    }
    put_all(&pair);
    install(&pair);
    expect_the_new_state(&pair);
    pair_deinit(&pair);
}

static void a_damaged_first_piece_leaves_the_dump_that_is_coming(void **state)
{
    struct pair pair, other;

    (void)state;
    pair_init(&pair, 30, 900, 600, NULL);
    pair_init(&other, 31, 900, 600, NULL);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(put_number(&pair, i), STAGING_TAKEN);
    struct staging_piece piece = piece_of(&other, 0);
    other.bytes.data[9] ^= 1;
    assert_int_equal(put(&pair, &piece, true), STAGING_DAMAGED);
    assert_int_equal(pair.staging.id, pair.about.id);
    assert_int_equal(put_number(&pair, 10), STAGING_TAKEN);
    pair_deinit(&pair);
    pair_deinit(&other);
}

/* The store asks the disk before it takes a piece, and says so rather than run full. */
static void without_room_a_piece_is_refused_and_the_store_goes_on(void **state)
{
    struct pair pair;
    struct store *store;
    struct error err;
    struct list_link done;
    uint64_t next;

    (void)state;
    pair_init(&pair, 30, 900, 600, NULL);
    assert_int_equal(store_open(&(struct store_options){.env = pair.to.env,
                                                        .stage_spare_bytes = 1ull << 60},
                                &store, &err),
                     GW_OK);
    struct staging_piece piece = piece_of(&pair, 0);
    struct store_job job = {.type = STORE_STAGE,
                            .piece = piece,
                            .bytes = piece.bytes,
                            .rest_bytes = pair.about.bytes};
    store_push(store, &job);
    store_step(store, 0, &next);
    list_init(&done);
    store_take_completed(store, &done);
    assert_false(list_is_empty(&done));
    assert_int_equal(job.result, GW_OK);
    assert_int_equal(job.outcome, STAGING_FULL);
    assert_int_equal(job.staging.next, 0);
    assert_false(store_is_halted(store));
    store_close(store);
    pair_deinit(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_comes_in_by_pieces),
        cmocka_unit_test(a_source_in_a_file_gives_the_same_bytes),
        cmocka_unit_test(a_source_leaves_room_for_the_log),
        cmocka_unit_test(a_crash_at_any_point_leaves_a_state_and_what_was_committed),
        cmocka_unit_test(what_is_not_next_is_left_out),
        cmocka_unit_test(another_dump_drops_what_there_was),
        cmocka_unit_test(a_damaged_piece_is_found_and_nothing_of_it_stays),
        cmocka_unit_test(a_damaged_first_piece_leaves_the_dump_that_is_coming),
        cmocka_unit_test(without_room_a_piece_is_refused_and_the_store_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
