/* When the cluster key changes, so does all that it seals. */
#include "../../store/scratch.h"

#include "node/control/reseal.h"
#include "raft/node_record.h"
#include "store/records.h"

static struct scratch scratch;
static struct seal_key first, second, other;
static uint64_t at;

static void begin(void)
{
    scratch_init(&scratch);
    scratch_open(&scratch, 0);
    scratch_format(&scratch);
    seal_key_generate(&first);
    seal_key_generate(&second);
    seal_key_generate(&other);
    at = 6;
}

static void put(struct slice key, const struct seal_key *by, const char *secret)
{
    struct error err = ERROR_NONE;
    struct buffer sealed, value;
    struct txn *txn;

    buffer_init(&sealed, 4096);
    buffer_init(&value, 4096);
    assert_int_equal(
        seal_bytes(by, SLICE("_ca/1"), slice_from_string(secret), &sealed, &err), GW_OK);
    ca_record_pack(&value, &(struct ca_record){.certificate = SLICE("certificate"),
                                               .sealed_key = buffer_slice(&sealed)});
    assert_int_equal(env_begin_write(scratch.env, &txn), GW_OK);
    assert_int_equal(record_put(txn, key, buffer_slice(&value), ++at), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    buffer_deinit(&sealed);
    buffer_deinit(&value);
}

static bool look(struct reseal *reseal)
{
    struct txn *txn;

    assert_int_equal(env_begin_read(scratch.env, &txn), GW_OK);
    bool is_whole = reseal_init(reseal, txn, &first, &second);
    txn_abort(txn);
    return is_whole;
}

static void check_item(const struct system_item *item, struct slice key, uint64_t revision,
                       const char *secret)
{
    struct error err = ERROR_NONE;
    struct buffer plain;
    struct ca_record ca;

    buffer_init(&plain, 4096);
    assert_true(slice_equal(item->key, key));
    assert_int_equal(item->expected_mod_revision, revision);
    assert_true(ca_record_unpack(item->value, &ca));
    assert_true(slice_equal(ca.certificate, SLICE("certificate")));
    assert_int_equal(seal_open(&second, SLICE("_ca/1"), ca.sealed_key, &plain, &err),
                     GW_OK);
    assert_true(slice_equal(buffer_slice(&plain), slice_from_string(secret)));
    buffer_deinit(&plain);
}

/* Two administrators in one moment: another authority, sealed by the key that goes. */
static void the_authority_that_will_sign_goes_along(void **state)
{
    struct reseal reseal;

    (void)state;
    begin();
    put(CA_KEY, &first, "signs");
    put(CA_NEXT_KEY, &first, "will");
    assert_true(look(&reseal));
    assert_int_equal(reseal.count, 2);
    check_item(&reseal.items[0], CA_KEY, 7, "signs");
    check_item(&reseal.items[1], CA_NEXT_KEY, 8, "will");
    reseal_deinit(&reseal);
    scratch_deinit(&scratch);
}

static void what_came_late_is_found_by_the_last_step(void **state)
{
    struct reseal reseal;

    (void)state;
    begin();
    put(CA_KEY, &second, "signs");
    assert_true(look(&reseal));
    assert_int_equal(reseal.count, 0);
    reseal_deinit(&reseal);
    put(CA_NEXT_KEY, &first, "will");
    assert_true(look(&reseal));
    assert_int_equal(reseal.count, 1);
    check_item(&reseal.items[0], CA_NEXT_KEY, 8, "will");
    reseal_deinit(&reseal);
    scratch_deinit(&scratch);
}

static void what_opens_by_neither_key_stops_it(void **state)
{
    struct reseal reseal;

    (void)state;
    begin();
    put(CA_KEY, &first, "signs");
    put(CA_NEXT_KEY, &other, "will");
    assert_false(look(&reseal));
    reseal_deinit(&reseal);
    scratch_deinit(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authority_that_will_sign_goes_along),
        cmocka_unit_test(what_came_late_is_found_by_the_last_step),
        cmocka_unit_test(what_opens_by_neither_key_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
