/* What goes wrong in a run, and when; drawn from a seed, or read from a file.
 *
 * A fault names machines by slot; 0 is whoever leads when it strikes. Its `amount` is
 * a number that each kind reads in its own way, so that any number will do. Faults
 * know nothing of each other: one can be taken out and the rest stays as it was,
 * which is what shrinking needs. */
#ifndef GW_SIM_SCHEDULE_H
#define GW_SIM_SCHEDULE_H

#include "base/error.h"

#include <stddef.h>
#include <stdio.h>

#define SCHEDULE_SLOTS 7

enum fault_kind {
    FAULT_CRASH,
    FAULT_POWER,
    FAULT_POWER_LATE,
    FAULT_CRASH_AT_DISK,
    FAULT_CRASH_AFTER_SEND,
    FAULT_CRASH_MANY,
    FAULT_ROLLING,
    FAULT_ISOLATE,
    FAULT_ISOLATE_LEADER,
    FAULT_HALVES,
    FAULT_ONE_WAY,
    FAULT_DEAF,
    FAULT_MUTE,
    FAULT_RING,
    FAULT_BRIDGE,
    FAULT_REGION_CUT,
    FAULT_REGION_FAR,
    FAULT_LOSS,
    FAULT_FLAKY,
    FAULT_DUPLICATE,
    FAULT_REORDER,
    FAULT_SLOW_NET,
    FAULT_SLOW_DISK,
    FAULT_STALLED_DISK,
    FAULT_FULL_DISK,
    FAULT_FAILING_DISK,
    FAULT_DRIFT,
    FAULT_WALL_JUMP,
    FAULT_PAUSE,
    FAULT_ANSWERS_LOST,
    FAULT_HELD,
    FAULT_TRANSFER,
    FAULT_JOIN,
    FAULT_REMOVE,
    FAULT_STANDBY,
    FAULT_VOTER,
    FAULT_REPLACE,
    FAULT_KINDS
};

/* What FAULT_HELD holds back of what `a` sends to `b`, or to all where `b` is `a`: its
 * amount is one of these, or libraft's number of a message (1 to 6, without pre-votes),
 * and ten times the milliseconds that it comes late; 0: never. */
enum held_what { HELD_ALL = 0, HELD_PRE_VOTE = 7, HELD_PRE_VOTE_RESULT = 8, HELD_DUMP = 9 };

struct fault {
    enum fault_kind kind;
    uint64_t at_ms, for_ms;
    int a, b; /* slots; 0: the leader */
    uint64_t amount;
};

struct schedule {
    uint64_t seed, seconds;
    unsigned founders, regions, region_delay_ms, voters;
    bool is_fifo, gathers;
    unsigned guards_off;
    const char *plant;    /* base/plant.h; borrowed, or NULL */
    bool is_lying;        /* every disk: it says synced and is not */
    struct fault *faults; /* owned, by time */
    size_t count;
};

/* What a kept schedule finds: it must fail with this bug for one of `tries` seeds from its
 * own on, and pass for that seed without it. A bug that shows only where another one is
 * planted too is compared with that one. */
struct schedule_aim {
    char plant[64], beside[64]; /* "": none */
    unsigned tries;
};

const char *fault_name(enum fault_kind kind);
void schedule_draw(uint64_t seed, uint64_t seconds, struct schedule *ret_schedule);
/* Line by line: `seed N`, `seconds N`, `founders N`, `regions N`, `delay MS`, `voters N`,
 * `fifo 0|1`, `gathers 0|1`, `at MS KIND A B AMOUNT for MS`, `# …`; and `plant NAME`,
 * `beside NAME`, `tries N`, which make the aim. */
enum result schedule_read(const char *path, struct schedule *ret_schedule,
                          struct schedule_aim *ret_aim, struct error *err);
void schedule_print(const struct schedule *schedule, FILE *out);
void schedule_free(struct schedule *schedule);

#endif
