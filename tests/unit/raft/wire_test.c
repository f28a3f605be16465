/* The codec: what goes in comes out; what is not exactly a message is refused,
 * and kills neither the decoder nor a replica. */
#include "tests/unit/raft/cluster.h"

#include "raft/hello.h"
#include "raft/wire.h"

#include <string.h>

static struct raft_configuration three_voters(void)
{
    struct raft_configuration conf;

    raft_configuration_init(&conf);
    raft_configuration_add(&conf, 1, "1", RAFT_VOTER);
    raft_configuration_add(&conf, 2, "2", RAFT_VOTER);
    raft_configuration_add(&conf, 30, "30", RAFT_STANDBY);
    return conf;
}

/* One of each type, encoded. */
#define SAMPLES 7
static struct buffer samples[SAMPLES];

static int make_samples(void **state)
{
    static char payload[] = "some bytes", barrier[8] = "";
    static struct raft_entry entries[3];
    struct raft_configuration conf = three_voters();
    struct slice change = conf_encode(&conf);
    struct wire_message messages[SAMPLES];

    (void)state;
    memset(messages, 0, sizeof messages);
    entries[0] = (struct raft_entry){
        .term = 4, .type = RAFT_COMMAND, .buf = {.base = payload, .len = sizeof payload}};
    entries[1] = (struct raft_entry){
        .term = 4,
        .type = RAFT_CHANGE,
        .buf = {.base = (char *)(uintptr_t)change.data, .len = change.size}};
    entries[2] = (struct raft_entry){
        .term = 5, .type = RAFT_BARRIER, .buf = {.base = barrier, .len = 8}};
    messages[0].raft.type = RAFT_APPEND_ENTRIES;
    messages[0].round = 7;
    messages[0].raft.append_entries = (struct raft_append_entries){.term = 5,
                                                                   .prev_log_index = 1,
                                                                   .prev_log_term = 1,
                                                                   .leader_commit = 2,
                                                                   .entries = entries,
                                                                   .n_entries = 3};
    messages[1].raft.type = RAFT_APPEND_ENTRIES;
    messages[1].raft.append_entries = (struct raft_append_entries){.term = 5};
    messages[2].raft.type = RAFT_APPEND_ENTRIES_RESULT;
    messages[2].round = 300;
    messages[2].raft.append_entries_result =
        (struct raft_append_entries_result){.term = 5,
                                            .rejected = 70000,
                                            .last_log_index = 3,
                                            .features = 1,
                                            .capacity = 65535};
    messages[3].raft.type = RAFT_REQUEST_VOTE;
    messages[3].raft.request_vote = (struct raft_request_vote){.term = 6,
                                                               .candidate_id = 1,
                                                               .last_log_index = 1,
                                                               .last_log_term = 1,
                                                               .pre_vote = true};
    messages[4].raft.type = RAFT_REQUEST_VOTE_RESULT;
    messages[4].raft.request_vote_result =
        (struct raft_request_vote_result){.term = 6, .vote_granted = true};
    messages[5].raft.type = RAFT_INSTALL_SNAPSHOT;
    messages[5].dump = 77;
    messages[5].raft.install_snapshot = (struct raft_install_snapshot){
        .term = 6, .last_index = 100, .last_term = 5, .conf_index = 50, .conf = conf};
    messages[6].raft.type = RAFT_TIMEOUT_NOW;
    messages[6].raft.timeout_now =
        (struct raft_timeout_now){.term = 6, .last_log_index = 9, .last_log_term = 5};
    for (unsigned i = 0; i < SAMPLES; i++) {
        buffer_init(&samples[i], 0);
        if (!wire_encode(&samples[i], &messages[i]))
            return 1;
    }
    raft_configuration_close(&conf);
    free((void *)(uintptr_t)change.data);
    return 0;
}

static int free_samples(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++)
        buffer_deinit(&samples[i]);
    return 0;
}

static void every_message_comes_back_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct wire_message message;
        struct buffer again;

        assert_true(wire_decode(buffer_slice(&samples[i]), &message));
        buffer_init(&again, 0);
        assert_true(wire_encode(&again, &message));
        assert_true(slice_equal(buffer_slice(&again), buffer_slice(&samples[i])));
        buffer_deinit(&again);
        wire_free(&message);
    }
}

/* Nodes of two versions run in one cluster, so these bytes may change only together with
 * PEER_PROTOCOL (raft/hello.h). */
static void the_bytes_are_those_of_the_protocol(void **state)
{
    static const char *const known[SAMPLES] = {
        ("980101050101020793930401c40b736f6d6520627974657300930403c430010300000000"
         "000000010000000000000031000102000000000000003200011e00000000000000333000"
         "000000000000930502c4080000000000000000"),
        "980101050000000090",
        "98010205ce000111700301cdffffcd012c",
        "98010306010101c2c3",
        "97010406c3c20000",
        ("98010506640532c430010300000000000000010000000000000031000102000000000000"
         "003200011e00000000000000333000000000000000cf000000000000004d"),
        "950106060905",
    };
    char text[512];

    (void)state;
    assert_int_equal(PEER_PROTOCOL, 2);
    for (unsigned i = 0; i < SAMPLES; i++) {
        assert_true(2 * samples[i].size < sizeof text);
        slice_to_hex(buffer_slice(&samples[i]), text);
        assert_string_equal(text, known[i]);
    }
}

static void fields_land_where_they_belong(void **state)
{
    struct wire_message message;

    (void)state;
    assert_true(wire_decode(buffer_slice(&samples[0]), &message));
    assert_int_equal(message.round, 7);
    assert_int_equal(message.raft.append_entries.n_entries, 3);
    assert_string_equal(message.raft.append_entries.entries[0].buf.base, "some bytes");
    assert_int_equal(message.raft.append_entries.entries[2].term, 5);
    wire_free(&message);
    assert_true(wire_decode(buffer_slice(&samples[5]), &message));
    assert_int_equal(message.dump, 77);
    assert_int_equal(message.raft.install_snapshot.conf.n, 3);
    wire_free(&message);
}

static void no_message_may_be_cut_or_lengthened(void **state)
{
    struct wire_message message;

    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        for (size_t size = 0; size < samples[i].size; size++) {
            /* A block of its own, so that a sanitizer sees one byte too far. */
            char *copy = malloc(size + 1);
            memcpy(copy, samples[i].data, size);
            copy = realloc(copy, size > 0 ? size : 1);
            assert_false(wire_decode(slice_of(copy, size), &message));
            free(copy);
        }
        struct buffer longer;
        buffer_init(&longer, 0);
        buffer_append_slice(&longer, buffer_slice(&samples[i]));
        buffer_append_byte(&longer, 0);
        assert_false(wire_decode(buffer_slice(&longer), &message));
        buffer_deinit(&longer);
    }
}

static void a_configuration_that_is_none_never_reaches_the_library(void **state)
{
    struct raft_configuration conf = three_voters();
    struct slice good = conf_encode(&conf);
    char bad[256];

    (void)state;
    assert_true(conf_is_sound(good));
    for (size_t size = 0; size < good.size; size++)
        assert_false(conf_is_sound(slice_of(good.data, size)));
    memcpy(bad, good.data, good.size);
    memset(bad + good.size, 0, 8);
    assert_false(conf_is_sound(slice_of(bad, good.size + 8)));
    bad[1] = (char)0xff; /* 255 servers */
    assert_false(conf_is_sound(slice_of(bad, good.size)));
    memset(bad + 1, 0xff, 8); /* as many as fit 64 bits */
    assert_false(conf_is_sound(slice_of(bad, good.size)));
    memcpy(bad, good.data, good.size);
    bad[9] = 2; /* id 2 with the address of 1 */
    assert_false(conf_is_sound(slice_of(bad, good.size)));
    memcpy(bad, good.data, good.size);
    bad[19] = 9; /* a role that is none */
    assert_false(conf_is_sound(slice_of(bad, good.size)));
    raft_configuration_close(&conf);
    raft_configuration_init(&conf);
    raft_configuration_add(&conf, 1, "1", RAFT_STANDBY);
    struct slice voterless = conf_encode(&conf);
    assert_false(conf_is_sound(voterless));
    raft_configuration_close(&conf);
    free((void *)(uintptr_t)good.data);
    free((void *)(uintptr_t)voterless.data);
}

static void a_count_that_lies_allocates_nothing(void **state)
{
    struct wire_message message;
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 0);
    buffer_append(&bytes, "\x98\x01\x01\x05\x01\x01\x00\x00\xdd\x7f\xff\xff\xff", 13);
    assert_false(wire_decode(buffer_slice(&bytes), &message));
    buffer_deinit(&bytes);
}

static size_t mutate(struct rng *rng, char *out, size_t limit)
{
    const struct buffer *sample = &samples[rng_below(rng, SAMPLES)];
    size_t size = sample->size < limit ? sample->size : limit;

    memcpy(out, sample->data, size);
    switch (rng_below(rng, 6)) {
    case 0: /* noise */
        size = rng_below(rng, limit);
        for (size_t i = 0; i < size; i++)
            out[i] = (char)rng_next(rng);
        break;
    case 1:
        size = rng_below(rng, size + 1);
        break;
    case 2: /* a run moved */
        if (size > 8) {
            size_t run = 1 + rng_below(rng, 8);
            memmove(out + rng_below(rng, size - run), out + rng_below(rng, size - run),
                    run);
        }
        break;
    default:
        for (unsigned i = 0; i < 1 + rng_below(rng, 4) && size > 0; i++)
            out[rng_below(rng, size)] = (char)rng_next(rng);
        break;
    }
    return size;
}

static void two_hundred_thousand_mutations_are_decoded_or_refused(void **state)
{
    struct rng rng;
    unsigned decoded = 0;

    (void)state;
    rng_init(&rng, 11);
    for (unsigned i = 0; i < 200000; i++) {
        struct wire_message message;
        char buffer[512];
        size_t size = mutate(&rng, buffer, sizeof buffer);
        char *exact = malloc(size > 0 ? size : 1);

        memcpy(exact, buffer, size);
        if (wire_decode(slice_of(exact, size), &message)) {
            decoded++;
            wire_free(&message);
        }
        free(exact);
    }
    assert_true(decoded > 1000);
}

/* A peer that says anything at all: the replica refuses or follows, never ends. */
static void a_replica_survives_a_peer_that_sends_garbage(void **state)
{
    struct cluster c;
    struct rng rng;
    unsigned refused = 0;

    (void)state;
    rng_init(&rng, 12);
    for (unsigned round = 0; round < 40; round++) {
        cluster_init(&c, 3);
        for (unsigned i = 1; i <= 3; i++)
            node_bootstrap(&c, i, 3);
        node_open(&c, 2);
        if (round % 2 == 0) { /* a leader, too */
            node_open(&c, 1);
            node_open(&c, 3);
            cluster_put(&c, "route/a", "1");
        }
        for (unsigned i = 0; i < 500; i++) {
            char buffer[512];
            size_t size = mutate(&rng, buffer, sizeof buffer);
            uint64_t to = round % 2 == 0 ? 1 + rng_below(&rng, 3) : 2;
            uint64_t from = to % 3 + 1;

            if (replica_receive(c.nodes[to].replica, from, slice_of(buffer, size),
                                c.now_ms) != GW_OK)
                refused++;
            if (i % 50 == 0)
                cluster_run(&c, 5);
        }
        cluster_deinit(&c);
    }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_the_same),
        cmocka_unit_test(the_bytes_are_those_of_the_protocol),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(no_message_may_be_cut_or_lengthened),
        cmocka_unit_test(a_configuration_that_is_none_never_reaches_the_library),
        cmocka_unit_test(a_count_that_lies_allocates_nothing),
        cmocka_unit_test(two_hundred_thousand_mutations_are_decoded_or_refused),
        cmocka_unit_test(a_replica_survives_a_peer_that_sends_garbage),
    };

    return cmocka_run_group_tests(tests, make_samples, free_samples);
}
