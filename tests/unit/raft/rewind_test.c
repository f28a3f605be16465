/* Earlier states, from the history that transactions leave. */
#include "tests/unit/raft/transaction.h"
#include "tests/unit/store/scratch.h"

#include "store/rewind.h"

struct machine {
    struct scratch s;
    struct txn *txn;
    uint64_t index;
};

static void m_init(struct machine *m)
{
    memset(m, 0, sizeof *m);
    scratch_init(&m->s);
    scratch_open(&m->s, 1u << 30);
    m->index = 10;
    assert_int_equal(env_begin_write(m->s.env, &m->txn), GW_OK);
    assert_int_equal(format_put(m->txn, 1, FORMAT_NEWEST), GW_OK);
}

static void m_deinit(struct machine *m)
{
    txn_abort(m->txn);
    scratch_deinit(&m->s);
}

/* One transaction: pairs of key and value (NULL: delete), ended by a NULL key. */
static uint64_t m_change(struct machine *m, const char *message, const char *const *pairs)
{
    struct transaction_item items[8];
    size_t count = 0;

    for (; pairs[0] != NULL; pairs += 2)
        items[count++] = (struct transaction_item){
            .key = slice_from_string(pairs[0]),
            .is_delete = pairs[1] == NULL,
            .value = slice_from_string(pairs[1] == NULL ? "" : pairs[1])};
    transact(m->txn, ++m->index, items, count, message);
    return m->index;
}
#define PAIRS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static bool note(void *owner, const struct history_item *item)
{
    struct buffer *out = owner;

    if (item->action == HISTORY_CREATED)
        buffer_printf(out, "%.*s=- ", SLICE_ARG(item->key));
    else
        buffer_printf(out, "%.*s=%.*s@%u,%u ", SLICE_ARG(item->key),
                      SLICE_ARG(item->old_value), (unsigned)item->old_create_revision,
                      (unsigned)item->old_mod_revision);
    return true;
}

static const char *rewound(struct machine *m, uint64_t revision, uint64_t until, char *text)
{
    struct buffer out;

    buffer_init(&out, 0);
    assert_int_equal(rewind_to(m->txn, revision, until, note, &out), GW_OK);
    snprintf(text, 256, "%.*s", SLICE_ARG(buffer_slice(&out)));
    buffer_deinit(&out);
    return text;
}

static void an_earlier_state_is_what_changes_since_replaced(void **state)
{
    struct machine m;
    char text[256];

    (void)state;
    m_init(&m);
    uint64_t first = m_change(&m, "", PAIRS("route/a", "1", "route/b", "1"));
    uint64_t second = m_change(&m, "", PAIRS("route/a", "2"));
    uint64_t third = m_change(&m, "", PAIRS("route/a", NULL, "route/c", "1"));
    m_change(&m, "", PAIRS("route/a", "4"));

    assert_string_equal(rewound(&m, m.index, m.index, text), "");
    assert_string_equal(rewound(&m, third, m.index, text), "route/a=- ");
    assert_string_equal(rewound(&m, second, m.index, text), "route/a=2@11,12 route/c=- ");
    assert_string_equal(rewound(&m, first, m.index, text), "route/a=1@11,11 route/c=- ");
    assert_string_equal(rewound(&m, first, second, text), "route/a=1@11,11 ");
    assert_string_equal(rewound(&m, 0, m.index, text), "route/a=- route/b=- route/c=- ");
    m_deinit(&m);
}

static void a_replay_tells_what_each_change_left(void **state)
{
    struct machine m;
    struct replay replay;

    (void)state;
    m_init(&m);
    uint64_t first = m_change(&m, "begin", PAIRS("route/a", "1", "route/b", "1"));
    m_change(&m, "", PAIRS("route/a", "2"));
    uint64_t third = m_change(&m, "", PAIRS("route/a", NULL));
    m_change(&m, "", PAIRS("route/b", "4"));

    assert_int_equal(replay_read(m.txn, 0, third, &replay), GW_OK);
    assert_int_equal(replay.count, 3);
    assert_int_equal(replay.entries[0].revision, first);
    assert_true(slice_equal(replay.entries[0].header.message, SLICE("begin")));
    assert_int_equal(replay.entries[0].header.item_count, 2);
    assert_true(slice_equal(replay.entries[0].items[0].after.value, SLICE("1")));
    assert_int_equal(replay.entries[0].items[1].after.mod_revision, first);
    assert_true(slice_equal(replay.entries[1].items[0].after.value, SLICE("2")));
    assert_int_equal(replay.entries[1].items[0].after.create_revision, first);
    assert_int_equal(replay.entries[2].items[0].action, HISTORY_DELETED);
    assert_int_equal(replay.entries[2].items[0].after.value.size, 0);
    replay_deinit(&replay);

    assert_int_equal(replay_read(m.txn, third, m.index, &replay), GW_OK);
    assert_int_equal(replay.count, 1);
    assert_true(slice_equal(replay.entries[0].items[0].after.value, SLICE("4")));
    replay_deinit(&replay);
    m_deinit(&m);
}

static void what_the_history_has_dropped_is_compacted(void **state)
{
    struct machine m;
    struct replay replay;
    bool reaches;
    uint64_t oldest;
    char text[256], value[16];

    (void)state;
    m_init(&m);
    for (int i = 0; i < HISTORY_LIMIT; i++) {
        snprintf(value, sizeof value, "%d", i);
        m_change(&m, "", PAIRS("route/a", value));
    }
    assert_int_equal(rewind_reaches(m.txn, 0, &reaches, &oldest), GW_OK);
    assert_true(reaches && oldest == 0);
    m_change(&m, "", PAIRS("route/b", "1")); /* drops revision 11 */
    assert_int_equal(rewind_reaches(m.txn, 10, &reaches, &oldest), GW_OK);
    assert_true(!reaches && oldest == 11);
    assert_string_equal(rewound(&m, 11, m.index, text), "route/a=0@11,11 route/b=- ");
    assert_int_equal(rewind_to(m.txn, 10, m.index, note, NULL), GW_COMPACTED);
    assert_int_equal(replay_read(m.txn, 10, m.index, &replay), GW_COMPACTED);
    assert_int_equal(replay_read(m.txn, 11, m.index, &replay), GW_OK);
    assert_int_equal(replay.count, HISTORY_LIMIT);
    replay_deinit(&replay);
    m_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_earlier_state_is_what_changes_since_replaced),
        cmocka_unit_test(a_replay_tells_what_each_change_left),
        cmocka_unit_test(what_the_history_has_dropped_is_compacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
