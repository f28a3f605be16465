/* Which of the two links to a peer a Raft message takes. */
#include "raft/link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void what_is_large_never_goes_on_the_consensus_link(void **state)
{
    (void)state;
    assert_int_equal(link_class_for(PEER_CONSENSUS_BYTES, false, 0), PEER_CONSENSUS);
    assert_int_equal(link_class_for(PEER_CONSENSUS_BYTES + 1, false, 0), PEER_BULK);
    assert_int_equal(link_class_for(10, true, 0), PEER_BULK);
}

static void entries_do_not_pile_up_before_a_heartbeat(void **state)
{
    (void)state;
    assert_int_equal(link_class_for(30000, false, LINK_CONSENSUS_QUEUE), PEER_CONSENSUS);
    assert_int_equal(link_class_for(30000, false, LINK_CONSENSUS_QUEUE + 1), PEER_BULK);
    /* A heartbeat stays where the votes are, whatever waits. */
    assert_int_equal(link_class_for(60, false, LINK_QUEUE_BYTES), PEER_CONSENSUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_large_never_goes_on_the_consensus_link),
        cmocka_unit_test(entries_do_not_pile_up_before_a_heartbeat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
