/* A thin layer over uv_queue_work, whose only failure is a missing function. */
#include "node/control/job.h"

#include <assert.h>

static void job_run(uv_work_t *work)
{
    struct job *job = work->data;
    job->run(job);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nothing here is ever cancelled */
    job->done(job);
}

void job_start(struct job *job, uv_loop_t *loop, job_fn run, job_fn done, void *owner)
{
    job->work.data = job;
    job->run = run;
    job->done = done;
    job->owner = owner;
    int rc = uv_queue_work(loop, &job->work, job_run, job_done);
    assert(rc == 0);
    (void)rc;
}
