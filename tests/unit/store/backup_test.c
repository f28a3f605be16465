/* Backups: every byte counts, and what is wrong is said. */
#include "scratch.h"

#include "base/hash.h"
#include "store/backup.h"
#include "store/history.h"
#include "store/meta.h"

static const struct backup_about about = {.made_ms = 1700000000000,
                                          .cluster_id = SLICE("0123456789abcdef"),
                                          .cluster_name = SLICE("shop"),
                                          .node = SLICE("eu-1"),
                                          .region = SLICE("eu"),
                                          .zone = SLICE(""),
                                          .peer = SLICE("10.0.0.1:7000"),
                                          .admin = SLICE("10.0.0.1:7001"),
                                          .version = SLICE("0.1.0")};

/* A state of some records, as a file. */
static void make(struct buffer *out)
{
    struct scratch s;
    struct buffer dump;
    struct txn *txn;
    char key[32];

    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "route/r%02u", i);
        assert_int_equal(record_put(txn, slice_from_string(key), SLICE("value"), 7), GW_OK);
    }
    assert_int_equal(
        meta_label_put(txn, &(struct store_label){.index = 9, .term = 3, .conf_index = 1}),
        GW_OK);
    assert_int_equal(
        record_state_put(txn, &(struct record_state){.applied = 9, .revision = 7}), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    buffer_init(&dump, 0);
    assert_int_equal(dump_build(s.env, &dump), GW_OK);
    assert_true(backup_head(out, &about, buffer_slice(&dump)));
    buffer_append_slice(out, buffer_slice(&dump));
    buffer_deinit(&dump);
    scratch_deinit(&s);
}

static void a_backup_says_what_it_is_of(void **state)
{
    struct buffer file;
    struct backup backup;
    struct error err = ERROR_NONE;

    (void)state;
    buffer_init(&file, 0);
    make(&file);
    assert_int_equal(backup_check(buffer_slice(&file), &backup, &err), GW_OK);
    assert_true(slice_equal(backup.about.node, SLICE("eu-1")));
    assert_true(slice_equal(backup.about.admin, SLICE("10.0.0.1:7001")));
    assert_int_equal(backup.about.made_ms, 1700000000000);
    assert_int_equal(backup.header.state.revision, 7);
    assert_int_equal(backup.header.label.index, 9);
    assert_int_equal(backup.header.rows[0], 50);
    buffer_deinit(&file);
}

static void every_flipped_bit_is_seen(void **state)
{
    struct buffer file;
    struct backup backup;
    struct error err = ERROR_NONE;

    (void)state;
    buffer_init(&file, 0);
    make(&file);
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] = (char)(file.data[i] ^ (1 << (i % 8)));
        enum result result = backup_check(buffer_slice(&file), &backup, &err);
        assert_true(result == GW_DAMAGED || (i < 8 && result == GW_MALFORMED));
        file.data[i] = (char)(file.data[i] ^ (1 << (i % 8)));
    }
    assert_int_equal(backup_check(buffer_slice(&file), &backup, &err), GW_OK);
    buffer_deinit(&file);
}

static void a_file_cut_anywhere_is_seen(void **state)
{
    struct buffer file;
    struct backup backup;
    struct error err = ERROR_NONE;

    (void)state;
    buffer_init(&file, 0);
    make(&file);
    for (size_t size = 0; size < file.size; size++) {
        /* A copy of exactly that size, so that a sanitizer sees a read beyond it. */
        char *cut = malloc(size + 1);
        memcpy(cut, file.data, size);
        enum result result = backup_check(slice_of(cut, size), &backup, &err);
        assert_int_equal(result, size < 8 ? GW_MALFORMED : GW_DAMAGED);
        free(cut);
    }
    buffer_append_byte(&file, 'x');
    assert_int_equal(backup_check(buffer_slice(&file), &backup, &err), GW_DAMAGED);
    buffer_deinit(&file);
}

static void count_row(void *owner, enum env_table table, struct slice key, uint64_t index,
                      struct slice value)
{
    struct record record;

    (void)index;
    assert_int_equal(table, ENV_RECORDS);
    assert_true(slice_starts_with(key, SLICE("route/r")));
    assert_true(record_unpack(value, &record));
    assert_true(slice_equal(record.value, SLICE("value")));
    assert_int_equal(record.mod_revision, 7);
    ++*(unsigned *)owner;
}

static void rows_are_walked_with_their_keys(void **state)
{
    struct buffer file;
    struct backup backup;
    struct error err = ERROR_NONE;
    unsigned count = 0;

    (void)state;
    buffer_init(&file, 0);
    make(&file);
    assert_int_equal(backup_check(buffer_slice(&file), &backup, &err), GW_OK);
    assert_int_equal(dump_walk(backup.dump, count_row, &count), GW_OK);
    assert_int_equal(count, 50);
    buffer_deinit(&file);
}

static void a_newer_format_is_told_apart_from_damage(void **state)
{
    struct buffer file;
    struct backup backup;
    struct error err = ERROR_NONE;

    (void)state;
    buffer_init(&file, 0);
    make(&file);
    /* The format is the second byte of the head, behind magic and size. */
    assert_int_equal(file.data[17], BACKUP_FORMAT);
    file.data[17] = BACKUP_FORMAT + 1;
    size_t whole = 16 + (unsigned char)file.data[8] + 256 * (unsigned char)file.data[9];
    uint64_t sum = hash_stable(slice_of(file.data, whole));
    for (unsigned i = 0; i < 8; i++)
        file.data[whole + i] = (char)(sum >> (8 * i));
    assert_int_equal(backup_check(buffer_slice(&file), &backup, &err), GW_NEWER);
    buffer_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_says_what_it_is_of),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(a_file_cut_anywhere_is_seen),
        cmocka_unit_test(rows_are_walked_with_their_keys),
        cmocka_unit_test(a_newer_format_is_told_apart_from_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
