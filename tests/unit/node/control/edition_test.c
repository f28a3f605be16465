/* An edition read by what changed is the one read from nothing, whatever happened
 * between the two, and says so with far fewer records decoded. */
#include "../../raft/transaction.h"
#include "../../store/scratch.h"

#include "base/rng.h"
#include "node/control/edition.h"

#define NAMES 40

static struct scratch scratch;
static uint64_t entry_index;
static struct rng rng;

static void begin(void)
{
    scratch_init(&scratch);
    scratch_open(&scratch, 0);
    entry_index = 0;
    rng_init(&rng, 3);
}

static void apply(const struct transaction_item *items, size_t count)
{
    struct txn *txn;

    assert_int_equal(env_begin_write(scratch.env, &txn), GW_OK);
    transact(txn, ++entry_index, items, count, "");
    assert_int_equal(txn_commit(txn), GW_OK);
}

static void random_transaction(void)
{
    struct transaction_item items[4] = {0};
    char keys[4][32];
    struct buffer values[4];
    size_t count = 1 + rng_below(&rng, 4);

    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        struct error err = ERROR_NONE;
        struct problems problems;
        char json[200];
        /* No key twice in one transaction. */
        uint64_t number = rng_below(&rng, NAMES / 4) * 4 + i;

        snprintf(keys[i], sizeof keys[i], "policy/p%llu", (unsigned long long)number);
        items[i].key = slice_from_string(keys[i]);
        buffer_init(&values[i], 0);
        items[i].is_delete = rng_chance(&rng, 300);
        if (items[i].is_delete)
            continue;
        arena_init(&arena, 0, 0);
        problems_init(&problems);
        snprintf(json, sizeof json,
                 "{\"apiVersion\":\"gw/"
                 "v1\",\"kind\":\"Policy\",\"metadata\":{\"name\":\"p%llu\"},"
                 "\"spec\":{\"timeout\":\"%llums\"}}",
                 (unsigned long long)number, (unsigned long long)rng_between(&rng, 1, 5));
        struct resource *resource = resource_decode(
            json_read(&arena, slice_from_string(json), &err), SLICE(""), 0, &problems);
        assert_non_null(resource);
        resource_pack(&values[i], resource);
        items[i].value = buffer_slice(&values[i]);
        resource_unref(resource);
        problems_deinit(&problems);
        arena_deinit(&arena);
    }
    apply(items, count);
    for (size_t i = 0; i < count; i++)
        buffer_deinit(&values[i]);
}

static struct edition *read_after(const struct edition *before)
{
    struct edition *edition = NULL;
    struct error err = ERROR_NONE;

    if (edition_read(scratch.env, before, true, &edition, &err) != GW_OK)
        fail_msg("%s", err.text);
    return edition;
}

static void assert_same(const struct edition *a, const struct edition *b)
{
    struct shelf_cursor left = shelf_first(&a->catalog.shelves[KIND_POLICY]);
    struct shelf_cursor right = shelf_first(&b->catalog.shelves[KIND_POLICY]);
    const struct resource *x, *y;

    assert_int_equal(a->applied, b->applied);
    assert_int_equal(a->conf_sequence, b->conf_sequence);
    assert_int_equal(a->catalog.revision, b->catalog.revision);
    assert_int_equal(shelf_count(&a->catalog.shelves[KIND_POLICY]),
                     shelf_count(&b->catalog.shelves[KIND_POLICY]));
    while ((x = shelf_next(&left)) != NULL) {
        y = shelf_next(&right);
        assert_true(slice_equal(x->name, y->name));
        assert_int_equal(x->mod_revision, y->mod_revision);
        assert_int_equal(x->create_revision, y->create_revision);
        assert_true(resource_equal(x, y));
    }
}

static void read_by_changes_is_read_anew(void **state)
{
    (void)state;
    begin();
    struct edition *edition = read_after(NULL);
    unsigned few = 0;
    for (int round = 0; round < 300; round++) {
        uint64_t entries = rng_below(&rng, 6);
        for (uint64_t i = 0; i < entries; i++)
            random_transaction();
        struct edition *next = read_after(edition), *anew = read_after(NULL), *quick;
        struct error err = ERROR_NONE;
        if (edition_read_few(scratch.env, edition, true, &quick, &err) == GW_OK) {
            assert_same(quick, anew);
            edition_unref(quick);
            few++;
        }
        assert_same(next, anew);
        assert_int_equal(shelf_count(&next->catalog.referrers),
                         shelf_count(&anew->catalog.referrers));
        edition_unref(anew);
        edition_unref(edition);
        edition = next;
    }
    assert_true(few > 200);
    edition_unref(edition);
    scratch_deinit(&scratch);
}

static void further_back_than_the_history_reaches_is_read_anew(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 10; i++)
        random_transaction();
    struct edition *old = read_after(NULL);
    for (int i = 0; i < 1200; i++)
        random_transaction();
    struct edition *next = read_after(old), *anew = read_after(NULL), *quick;
    struct error err = ERROR_NONE;
    assert_same(next, anew);
    assert_int_equal(edition_read_few(scratch.env, old, true, &quick, &err), GW_LIMIT);
    assert_int_equal(edition_read_few(scratch.env, NULL, true, &quick, &err), GW_LIMIT);
    edition_unref(old);
    edition_unref(next);
    edition_unref(anew);
    scratch_deinit(&scratch);
}

static void what_did_not_change_is_shared(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 100; i++)
        random_transaction();
    struct edition *before = read_after(NULL);
    random_transaction();
    struct edition *after = read_after(before);
    size_t shared = 0;
    const struct resource *resource;
    catalog_each(&before->catalog, KIND_POLICY, resource) shared +=
        catalog_get(&after->catalog, KIND_POLICY, resource->name) == resource;
    assert_true(shared + 4 >= catalog_count(&before->catalog, KIND_POLICY));
    edition_unref(before);
    edition_unref(after);
    scratch_deinit(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_by_changes_is_read_anew),
        cmocka_unit_test(further_back_than_the_history_reaches_is_read_anew),
        cmocka_unit_test(what_did_not_change_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
