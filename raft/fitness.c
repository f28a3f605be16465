/* A few numbers and comparisons; what it costs is a look every tenth of a second. */
#include "raft/fitness.h"

#include <string.h>

static void note_loss(struct fitness *fitness, uint64_t now_ms)
{
    memmove(&fitness->lost_ms[1], &fitness->lost_ms[0],
            sizeof fitness->lost_ms - sizeof fitness->lost_ms[0]);
    fitness->lost_ms[0] = now_ms;
    uint64_t oldest_ms = fitness->lost_ms[FITNESS_LOSSES - 1];
    if (oldest_ms != 0 && now_ms - oldest_ms <= FITNESS_WINDOW_MS)
        fitness->shy_until_ms = now_ms + FITNESS_SHY_MS;
}

struct fitness_advice fitness_next(struct fitness *fitness, const struct fitness_news *news,
                                   uint64_t now_ms)
{
    struct fitness_advice advice = {false, 1, NULL};
    uint64_t stall_ms = 4ull * news->election_ms;
    bool must_not = news->is_stopping || news->is_quarantined;
    bool is_low = news->is_disk_low && news->has_heir;
    uint64_t patience_ms = must_not ? FITNESS_MUST_MS
                           : is_low ? FITNESS_LOW_MS
                                    : FITNESS_PATIENCE_MS;

    if (stall_ms < FITNESS_STALL_MS)
        stall_ms = FITNESS_STALL_MS;
    if (news->transfers != fitness->transfers)
        fitness->is_giving_up = true;
    fitness->transfers = news->transfers;
    if (fitness->was_leader && !news->is_leader && !fitness->is_giving_up)
        note_loss(fitness, now_ms);
    if (!news->is_leader)
        fitness->is_giving_up = false;
    fitness->was_leader = news->is_leader;

    bool is_stalled = news->disk_wait_ms >= stall_ms;
    if (is_stalled)
        fitness->shy_until_ms = now_ms + FITNESS_SHY_MS;
    bool is_shy = now_ms < fitness->shy_until_ms;
    if (is_shy || must_not || news->is_disk_low)
        advice.handicap = FITNESS_HANDICAP;
    if (news->is_leader && (is_shy || must_not || is_low) &&
        (fitness->handed_ms == 0 || now_ms - fitness->handed_ms >= patience_ms)) {
        fitness->handed_ms = now_ms;
        advice.hand_over = true;
        advice.why = news->is_stopping      ? "it stops"
                     : news->is_quarantined ? "its state is wrong"
                     : is_stalled           ? "its disk stalls"
                     : is_low               ? "its disk is low"
                                            : "it was not fit lately";
    }
    return advice;
}
