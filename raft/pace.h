/* Time of agreement: how often a leader is heard, and how long a silence makes an
 * election.
 *
 * Profile `lan`: 50 and 300 ms. `wan`: by the longest round trip to a voter:
 * heartbeat max(RTT, 100 ms), election 15 × RTT within 1.5 to 3 s. The Cluster
 * resource may override either. Whatever is asked for, an election takes at least
 * PACE_BEATS heartbeats and PACE_TRIPS round trips: below that a cluster elects for
 * ever. Pure; any thread. */
#ifndef GW_RAFT_PACE_H
#define GW_RAFT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_BEATS 5
#define PACE_TRIPS 6

struct pace_options {
    bool is_wan;
    unsigned heartbeat_ms, election_ms; /* overrides; 0: the profile's */
};

struct pace {
    unsigned heartbeat_ms, election_ms;
    bool is_stretched; /* the round trip asks for more than what was asked for */
};

/* `round_trip_ms` 0: not known yet. */
struct pace pace_of(const struct pace_options *options, uint64_t round_trip_ms);
/* Whether the difference is worth a change: timers start anew with it. */
bool pace_differs(const struct pace *now, const struct pace *wanted);

#endif
