/* What a watch is told: every change, whole revisions, in order, and where to go on. */
#include "../../raft/transaction.h"
#include "../../store/scratch.h"

#include "model/resource.h"
#include "node/control/watch_events.h"
#include "store/history.h"

static struct scratch scratch;
static uint64_t entry_index;
static char message[HISTORY_MESSAGE];

static int begin(void **state)
{
    (void)state;
    scratch_init(&scratch);
    scratch_open(&scratch, 0);
    scratch_format(&scratch);
    entry_index = 0;
    strcpy(message, "why");
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_deinit(&scratch);
    return 0;
}

/* The value of policy `name` with this timeout, as a record has it. */
static void pack(struct buffer *out, const char *key, unsigned timeout_ms)
{
    struct error err = ERROR_NONE;
    struct problems problems;
    struct arena arena;
    char json[200];

    arena_init(&arena, 0, 0);
    problems_init(&problems);
    if (strncmp(key, "policy/", 7) == 0)
        snprintf(
            json, sizeof json,
            "{\"apiVersion\":\"gw/v1\",\"kind\":\"Policy\",\"metadata\":{\"name\":\"%s\"},"
            "\"spec\":{\"timeout\":\"%ums\"}}",
            key + 7, timeout_ms);
    else
        snprintf(
            json, sizeof json,
            "{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"%s\"},"
            "\"spec\":{}}",
            key + 7);
    struct resource *resource = resource_decode(
        json_read(&arena, slice_from_string(json), &err), SLICE(""), 0, &problems);
    assert_non_null(resource);
    resource_pack(out, resource);
    resource_unref(resource);
    problems_deinit(&problems);
    arena_deinit(&arena);
}

/* One transaction over keys, ended by NULL; "-key" deletes. */
static uint64_t change(unsigned timeout_ms, const char *const *keys)
{
    struct transaction_item items[4] = {0};
    struct buffer values[4];
    struct txn *txn;
    size_t count = 0;

    for (; keys[count] != NULL; count++) {
        bool is_delete = keys[count][0] == '-';
        buffer_init(&values[count], 0);
        if (!is_delete)
            pack(&values[count], keys[count], timeout_ms);
        items[count].key = slice_from_string(keys[count] + is_delete);
        items[count].is_delete = is_delete;
        items[count].value = buffer_slice(&values[count]);
    }
    assert_int_equal(env_begin_write(scratch.env, &txn), GW_OK);
    transact(txn, ++entry_index, items, count, message);
    assert_int_equal(txn_commit(txn), GW_OK);
    for (size_t i = 0; i < count; i++)
        buffer_deinit(&values[i]);
    return entry_index;
}
#define KEYS(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/* Short: "changed p1@2 created p2@2 #2 #3", an id being "#". */
static const char *told(enum kind kind, uint64_t since, uint64_t *until)
{
    static char out[4096];
    struct error err = ERROR_NONE;
    struct buffer text;
    struct slice rest, line;
    size_t used = 0;

    buffer_init(&text, 0);
    if (watch_events_read(scratch.env, kind, since, &text, until, &err) != GW_OK)
        fail_msg("%s", err.text);
    rest = buffer_slice(&text);
    out[0] = '\0';
    while (slice_next(&rest, '\n', &line)) {
        if (slice_starts_with(line, SLICE("data: "))) {
            struct arena arena;
            arena_init(&arena, 0, 0);
            const struct value *event = json_read(&arena, slice_from(line, 6), &err);
            assert_non_null(event);
            assert_true(slice_equal(value_text(event, "by"), SLICE("ann")));
            assert_true(slice_equal(value_text(event, "message"), SLICE("why")));
            const struct value *resource = value_get(event, "resource");
            bool is_deleted = slice_equal(value_text(event, "action"), SLICE("deleted"));
            assert_true((resource->type == VALUE_NULL) == is_deleted);
            if (!is_deleted)
                assert_true(
                    slice_equal(value_text(value_get(resource, "metadata"), "revision"),
                                value_text(event, "revision")));
            used += (size_t)snprintf(out + used, sizeof out - used, "%.*s %.*s@%.*s ",
                                     SLICE_ARG(value_text(event, "action")),
                                     SLICE_ARG(value_text(event, "name")),
                                     SLICE_ARG(value_text(event, "revision")));
            arena_deinit(&arena);
        } else if (slice_starts_with(line, SLICE("id: "))) {
            used += (size_t)snprintf(out + used, sizeof out - used, "#%.*s ",
                                     SLICE_ARG(slice_from(line, 4)));
        }
    }
    buffer_deinit(&text);
    return out;
}

static void a_revision_is_told_whole_and_its_id_comes_last(void **state)
{
    uint64_t until = 0;

    (void)state;
    change(1, KEYS("policy/a", "policy/b"));
    change(2, KEYS("policy/a"));
    change(0, KEYS("-policy/a"));
    change(3, KEYS("policy/a"));
    assert_string_equal(told(KIND_NONE, 0, &until),
                        "created a@1 created b@1 #1 changed a@2 #2 deleted a@3 #3 "
                        "created a@4 #4 ");
    assert_int_equal(until, 4);
    assert_string_equal(told(KIND_NONE, 2, &until), "deleted a@3 #3 created a@4 #4 ");
    assert_string_equal(told(KIND_NONE, 4, &until), "");
    assert_int_equal(until, 4);
    assert_string_equal(told(KIND_NONE, 9, &until), ""); /* ahead of this node */
    assert_int_equal(until, 9);
}

static void what_is_not_of_the_kind_moves_the_id_alone(void **state)
{
    uint64_t until = 0;

    (void)state;
    change(1, KEYS("policy/a", "region/eu"));
    change(2, KEYS("policy/a"));
    change(3, KEYS("region/us"));
    assert_string_equal(told(KIND_POLICY, 0, &until), "created a@1 #1 changed a@2 #2 #3 ");
    assert_string_equal(told(KIND_REGION, 1, &until), "created us@3 #3 ");
    assert_string_equal(told(KIND_ROUTE, 0, &until), "#3 ");
    assert_int_equal(until, 3);
}

static void much_is_told_in_steps_that_end_with_a_revision(void **state)
{
    uint64_t until = 0, steps = 0, events = 0;
    struct buffer text;
    struct error err = ERROR_NONE;

    (void)state;
    memset(message, 'x', sizeof message - 1);
    for (unsigned i = 0; i < HISTORY_LIMIT - 1; i++)
        change(1 + i, KEYS("policy/a", "policy/b", "policy/c", "policy/d"));
    while (until < entry_index) {
        uint64_t before = until;
        buffer_init(&text, 0);
        assert_int_equal(
            watch_events_read(scratch.env, KIND_NONE, before, &text, &until, &err), GW_OK);
        assert_true(until > before);
        assert_true(text.size < WATCH_EVENTS_BYTES + 8 * sizeof message);
        struct slice rest = buffer_slice(&text), line;
        while (slice_next(&rest, '\n', &line))
            events += slice_starts_with(line, SLICE("event: "));
        buffer_deinit(&text);
        steps++;
    }
    assert_int_equal(events, 4 * (HISTORY_LIMIT - 1));
    assert_in_range(steps, 2, 4);
}

static void what_the_history_has_dropped_is_compacted(void **state)
{
    uint64_t until = 0;
    struct error err = ERROR_NONE;
    struct buffer text;

    (void)state;
    for (unsigned i = 0; i <= HISTORY_LIMIT; i++)
        change(1 + i, KEYS("policy/a"));
    buffer_init(&text, 0);
    assert_int_equal(watch_events_read(scratch.env, KIND_NONE, 0, &text, &until, &err),
                     GW_COMPACTED);
    assert_int_equal(watch_events_read(scratch.env, KIND_NONE, 1, &text, &until, &err),
                     GW_OK);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_revision_is_told_whole_and_its_id_comes_last,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_of_the_kind_moves_the_id_alone, begin,
                                        end),
        cmocka_unit_test_setup_teardown(much_is_told_in_steps_that_end_with_a_revision,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_the_history_has_dropped_is_compacted, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
