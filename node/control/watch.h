/* GET /v1/watch: changes of the configuration as they become visible here, as server-sent
 * events.
 *
 * A watch is a place in the history, the last revision told; what is behind it is read on
 * the pool and kept only until its client has taken it. So memory is bounded by what is
 * read at once, however many watch or however slowly; a client that takes nothing is cut,
 * one that is slow finds the history gone (410). Control thread. */
#ifndef GW_NODE_WATCH_H
#define GW_NODE_WATCH_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_MAX 64
#define WATCH_BYTES_MAX                                                                \
    (32u << 20)                   /* read and not sent yet, over all; and one revision \
                                   */
#define WATCH_STALL_MS      10000 /* a client that takes nothing for so long is cut */
#define WATCH_ALIVE_MS      15000 /* silence is broken so often */
#define WATCH_LEADERLESS_MS 10000 /* without a leader for so long: watch elsewhere */

struct control;
struct request;

struct watches { /* embedded in struct control */
    struct list_link list;
    unsigned count;
    size_t bytes;    /* of what was read and is held */
    bool is_reading; /* one job at a time, for all */
    uint64_t begun, refused, cut, compacted;
};

void watches_init(struct watches *watches);
void watch_get(struct request *request);
/* A newer revision is visible. */
void watch_visible(struct control *control);
/* Each second: cuts who takes nothing, breaks the silence, ends all on a node that is
 * leaving, has halted or lost the others. */
void watch_tick(struct control *control, uint64_t now_ms);

#endif
