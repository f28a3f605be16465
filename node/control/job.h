/* Work for libuv's pool: whatever would keep the control loop busy for longer
 * than 5 ms. `run` is on a pool thread and touches only what `owner` lends it,
 * `done` is on the loop again. */
#ifndef GW_NODE_JOB_H
#define GW_NODE_JOB_H

#include "base/error.h"

#include <uv.h>

struct job;
typedef void (*job_fn)(struct job *job);

struct job { /* embedded; the owner's memory until `done` ran */
    uv_work_t work;
    job_fn run, done;
    void *owner;
};

void job_start(struct job *job, uv_loop_t *loop, job_fn run, job_fn done, void *owner);

#endif
