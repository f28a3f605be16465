/* Arithmetic only: who measures is the member, who obeys the replica. */
#include "raft/pace.h"

#define LAN_HEARTBEAT_MS     50
#define LAN_ELECTION_MS      300
#define WAN_HEARTBEAT_MS     100
#define WAN_ELECTION_TRIPS   15
#define WAN_ELECTION_LOW_MS  1500
#define WAN_ELECTION_HIGH_MS 3000
#define HEARTBEAT_MAX_MS     2000

static unsigned within(uint64_t value, unsigned low, unsigned high)
{
    return value < low ? low : value > high ? high : (unsigned)value;
}

struct pace pace_of(const struct pace_options *options, uint64_t round_trip_ms)
{
    struct pace pace = {LAN_HEARTBEAT_MS, LAN_ELECTION_MS, false};
    uint64_t trips = round_trip_ms > 60000 ? 60000 : round_trip_ms;

    if (options->is_wan) {
        pace.heartbeat_ms = within(trips, WAN_HEARTBEAT_MS, HEARTBEAT_MAX_MS);
        pace.election_ms =
            within(WAN_ELECTION_TRIPS * trips, WAN_ELECTION_LOW_MS, WAN_ELECTION_HIGH_MS);
    }
    if (options->heartbeat_ms != 0)
        pace.heartbeat_ms = options->heartbeat_ms;
    if (options->election_ms != 0)
        pace.election_ms = options->election_ms;
    if (pace.election_ms < PACE_BEATS * pace.heartbeat_ms)
        pace.election_ms = PACE_BEATS * pace.heartbeat_ms;
    if (pace.election_ms < PACE_TRIPS * trips) {
        pace.election_ms = (unsigned)(PACE_TRIPS * trips);
        pace.is_stretched = true;
    }
    return pace;
}

/* By more than a tenth. */
static bool is_far(unsigned a, unsigned b)
{
    unsigned low = a < b ? a : b, high = a < b ? b : a;

    return (high - low) * 10 > low;
}

bool pace_differs(const struct pace *now, const struct pace *wanted)
{
    return now->is_stretched != wanted->is_stretched ||
           is_far(now->heartbeat_ms, wanted->heartbeat_ms) ||
           is_far(now->election_ms, wanted->election_ms);
}
