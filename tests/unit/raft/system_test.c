/* The cluster's own records, changed as one or not at all. */
#include "raft/fsm.h"
#include "raft/node_record.h"
#include "raft/system.h"

#include "../store/scratch.h"

struct machine {
    struct scratch s;
    uint64_t index;
};

static void begin(struct machine *m)
{
    scratch_init(&m->s);
    scratch_open(&m->s, 0);
    scratch_format(&m->s);
}

static enum result apply(struct machine *m, const struct system_item *items, size_t count)
{
    struct fsm fsm = {.types = cluster_commands, .type_count = cluster_command_count};
    struct store_answer answer;
    struct buffer command;
    struct txn *txn;

    buffer_init(&command, 0);
    if (!system_encode(&command, &(struct command_header){.wall_ms = 1}, items, count)) {
        buffer_deinit(&command);
        return GW_USAGE;
    }
    assert_int_equal(env_begin_write(m->s.env, &txn), GW_OK);
    assert_int_equal(fsm_apply(&fsm, txn, ++m->index, buffer_slice(&command), &answer),
                     GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    assert_int_equal(answer.revision, 0);
    free((void *)(uintptr_t)answer.detail.data);
    buffer_deinit(&command);
    return answer.result;
}

static enum result get(struct machine *m, struct slice key, char *out)
{
    struct record record;
    struct txn *txn;

    assert_int_equal(env_begin_read(m->s.env, &txn), GW_OK);
    enum result result = record_get(txn, key, &record);
    if (result == GW_OK)
        sprintf(out, "%.*s", SLICE_ARG(record.value));
    txn_abort(txn);
    return result;
}

static void all_are_written_or_none(void **state)
{
    struct machine m = {0};
    char text[64];

    (void)state;
    begin(&m);
    const struct system_item first[] = {{.key = SLICE("_keys"), .value = SLICE("a")},
                                        {.key = SLICE("_ca"), .value = SLICE("b")}};
    assert_int_equal(apply(&m, first, 2), GW_OK); /* index 1 */
    const struct system_item stale[] = {
        {.key = SLICE("_keys"), .expected_mod_revision = 1, .value = SLICE("c")},
        {.key = SLICE("_ca"), .expected_mod_revision = 0, .value = SLICE("d")}};
    assert_int_equal(apply(&m, stale, 2), GW_CONFLICT);
    assert_int_equal(get(&m, SLICE("_keys"), text), GW_OK);
    assert_string_equal(text, "a");
    const struct system_item fits[] = {
        {.key = SLICE("_keys"), .expected_mod_revision = 1, .value = SLICE("c")},
        {.key = SLICE("_ca"), .expected_mod_revision = 1, .is_delete = true}};
    assert_int_equal(apply(&m, fits, 2), GW_OK);
    assert_int_equal(get(&m, SLICE("_keys"), text), GW_OK);
    assert_string_equal(text, "c");
    assert_int_equal(get(&m, SLICE("_ca"), text), GW_NOT_FOUND);
    scratch_deinit(&m.s);
}

static void resources_and_nodes_are_not_for_it(void **state)
{
    struct machine m = {0};

    (void)state;
    begin(&m);
    const struct slice keys[] = {SLICE("route/a"),  SLICE("_node/1"),   SLICE("_token/x"),
                                 SLICE("_cluster"), SLICE("_former/2"), SLICE("_format"),
                                 SLICE("_")};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct system_item item = {.key = keys[i], .value = SLICE("x")};
        assert_int_equal(apply(&m, &item, 1), GW_USAGE);
    }
    scratch_deinit(&m.s);
}

static void what_is_known_of_keys_survives_packing(void **state)
{
    const struct keys_record sent = {
        .current = SLICE("a1"), .rotated_ms = 5, .exported = SLICE("b2"), .exported_ms = 7};
    struct keys_record got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 0);
    keys_record_pack(&out, &sent);
    assert_true(keys_record_unpack(buffer_slice(&out), &got));
    assert_true(slice_equal(got.current, sent.current));
    assert_true(slice_equal(got.exported, sent.exported));
    assert_int_equal(got.exported_ms, 7);
    for (size_t size = 0; size < out.size; size++)
        assert_false(keys_record_unpack(slice_of(out.data, size), &got));
    buffer_deinit(&out);
}

static void a_key_that_is_to_be_survives_packing(void **state)
{
    const struct turning_record sent = {.name = SLICE("a1"), .sealed = SLICE("blob")};
    struct turning_record got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 0);
    turning_record_pack(&out, &sent);
    assert_true(turning_record_unpack(buffer_slice(&out), &got));
    assert_true(slice_equal(got.name, sent.name));
    assert_true(slice_equal(got.sealed, sent.sealed));
    for (size_t size = 0; size < out.size; size++)
        assert_false(turning_record_unpack(slice_of(out.data, size), &got));
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_written_or_none),
        cmocka_unit_test(resources_and_nodes_are_not_for_it),
        cmocka_unit_test(what_is_known_of_keys_survives_packing),
        cmocka_unit_test(a_key_that_is_to_be_survives_packing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
