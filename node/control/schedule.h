/* Backups by the clock: gwd.yaml's `backup`. Each is a file as `gwctl snapshot save`
 * writes it, NODE-TIME-rREVISION.gwsnap in the directory given; the newest `keep` of
 * this node stay, nobody else's are touched. Control thread; the work is the pool's. */
#ifndef GW_NODE_SCHEDULE_H
#define GW_NODE_SCHEDULE_H

#include "node/control/backup.h"

#define SCHEDULE_RETRY_MS 60000 /* after a failure, or sooner if backups are due sooner */

struct schedule_counts {
    uint64_t done, failed;
    uint64_t last_ms; /* wall time of the newest that stands; 0: none since the start */
    uint64_t last_bytes;
};

/* *ret_schedule NULL: none is asked for. */
enum result schedule_open(struct control *control, struct schedule **ret_schedule,
                          struct error *err);
/* When no job is under way any more. NULL is fine. */
void schedule_free(struct schedule *schedule);
/* Begins one when it is due. Every second or so. */
void schedule_tick(struct schedule *schedule, uint64_t now_ms);
const struct schedule_counts *schedule_counts(const struct schedule *schedule);

/* "eu-1-20260102T030405Z-r4183.gwsnap" of this node? Gives its wall time. */
bool schedule_is_ours(struct slice name, const char *node, uint64_t *ret_made_ms);

#endif
