/* What became visible goes on from here: into the catalog, then to whoever waits
 * for it: the proposer, readers, the compiler.
 *
 * Entries that are no configuration only move the index of the edition there is,
 * so verdicts and ticks never cost a read of the records. A few changes are read on the
 * loop, which takes less than going to the pool and coming back; many on the pool. */
#include "node/control/catalog_source.h"

#include "base/log.h"
#include "node/control/request.h"

static void told(struct control *control)
{
    proposer_visible(&control->proposer);
    request_visible(control);
}

static void read_run(struct job *job)
{
    struct control *control = job->owner;

    edition_read(control->env, control->visible, control->read_index, &control->read,
                 &control->read_err);
}

static void take_read(struct control *control)
{
    if (control->read != NULL) {
        edition_unref(control->visible);
        control->visible = control->read;
        control->read = NULL;
        publish_start(control);
        shape_follow(control);
        told(control);
    } else {
        /* The edition before goes on serving; the next change tries again. */
        log_event(LOG_ERROR, "control", "catalog unreadable",
                  LOG_STR("why", control->read_err.text));
    }
}

static void read_done(struct job *job)
{
    struct control *control = job->owner;

    control->is_reading = false;
    take_read(control);
    if (control->read_again && !control->is_ending)
        catalog_source_refresh(control);
}

void catalog_source_refresh(struct control *control)
{
    struct edition *visible = control->visible;

    bool wants_index = control_is_leader(control);

    if (visible != NULL && visible->catalog.revision >= control->visible_revision &&
        (visible->catalog.is_indexed || !wants_index)) {
        if (visible->applied < control->visible_index)
            visible->applied = control->visible_index;
        told(control);
        return;
    }
    if (control->is_reading) {
        control->read_again = true;
        return;
    }
    control->read_again = false;
    control->read_err = ERROR_NONE;
    if (edition_read_few(control->env, visible, wants_index, &control->read,
                         &control->read_err) != GW_LIMIT) {
        take_read(control);
        return;
    }
    control->is_reading = true;
    control->read_index = wants_index;
    control->read_err = ERROR_NONE;
    job_start(&control->reader, control->loop, read_run, read_done, control);
}
