/* At two thirds of its life: of a year, four months are left for a node that was down,
 * for a leader that cannot sign, for somebody to notice. */
#include "node/control/renewal.h"

#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000

enum renewal renewal_due(const struct renewal_facts *facts, uint64_t now_ms)
{
    const uint64_t life_ms =
        facts->until_ms > facts->from_ms ? facts->until_ms - facts->from_ms : 0;

    if (!facts->is_signed)
        return RENEWAL_AUTHORITY;
    if (facts->is_retired)
        return RENEWAL_RETIRED;
    return now_ms >= facts->from_ms + life_ms / 3 * 2 ? RENEWAL_AGE : RENEWAL_NONE;
}

const char *renewal_text(enum renewal renewal)
{
    static const char *const texts[] = {"none", "two thirds of its life are over",
                                        "its rotation was asked for",
                                        "another authority signs now"};
    return texts[renewal];
}

uint64_t renewal_pause_ms(unsigned failures)
{
    uint64_t pause_ms = PAUSE_MS;

    while (failures-- > 1 && pause_ms < PAUSE_MAX_MS)
        pause_ms *= 2;
    return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}
