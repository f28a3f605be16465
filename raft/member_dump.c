/* Dumps for peers that lag too far: made and read on libuv's pool, sent by the replica.
 *
 * Each stands in an unlinked file of the data directory while it is sent. The price: as
 * much disk as the state takes, for each of the peers that need one at a time. */
#include "raft/member_inner.h"

#include "base/instant.h"
#include "base/log.h"

#include <stdlib.h>

#define TELL_AGAIN_MS 60000

struct dump_work {
    struct list_link link;
    struct member *member;
    uv_work_t work;
    uint64_t to;
    bool is_busy; /* on the pool */
    bool is_made;
    bool is_over; /* freed as soon as it is not busy */
    struct dump_source *source;
    uint64_t number; /* read next */
    struct buffer bytes;
    struct dump_piece piece;
    struct error err;
};

static void work_free(struct dump_work *dump)
{
    list_remove(&dump->link);
    dump_source_close(dump->source);
    buffer_deinit(&dump->bytes);
    free(dump);
}

static struct dump_work *work_of(struct member *member, uint64_t to)
{
    list_each (&member->dumps, link) {
        struct dump_work *dump = container_of(link, struct dump_work, link);
        if (dump->to == to && !dump->is_over)
            return dump;
    }
    return NULL;
}

/* Pool. */
static void run(uv_work_t *work)
{
    struct dump_work *dump = container_of(work, struct dump_work, work);

    if (dump->source == NULL)
        dump_source_open(&(struct dump_source_options){.env = dump->member->env,
                                                       .dir = dump->member->data_dir},
                         &dump->source, &dump->err);
    else
        dump_source_read(dump->source, dump->number, &dump->bytes, &dump->piece,
                         &dump->err);
}

static void made(struct dump_work *dump)
{
    struct dump_about about = dump_source_about(dump->source);

    dump->is_made = true;
    log_event(LOG_INFO, "member", "dump begins", LOG_U64("peer", dump->to),
              LOG_U64("bytes", about.bytes), LOG_U64("pieces", about.count));
    replica_dump_ready(dump->member->replica, dump->to, &about);
}

static void done(uv_work_t *work, int status)
{
    struct dump_work *dump = container_of(work, struct dump_work, work);
    struct member *member = dump->member;
    uint64_t to = dump->to;

    dump->is_busy = false;
    if (dump->is_over || member->is_closing) {
        work_free(dump);
        return;
    }
    if (status != 0 || dump->err.code != GW_OK) {
        log_event(LOG_WARN, "member", "dump failed", LOG_U64("peer", to),
                  LOG_STR("why", dump->err.text));
        replica_dump_ready(member->replica, to, NULL); /* whichever it waits for; */
        replica_dump_piece(member->replica, to, NULL); /* the work is gone then */
    } else if (!dump->is_made) {
        made(dump);
    } else {
        replica_dump_piece(member->replica, to, &dump->piece);
    }
    member_settle(member);
}

static bool queue(struct dump_work *dump)
{
    dump->is_busy = uv_queue_work(&dump->member->uv, &dump->work, run, done) == 0;
    return dump->is_busy;
}

static void dump_wanted(void *owner, uint64_t to)
{
    struct member *member = owner;
    struct dump_work *dump = calloc(1, sizeof *dump);

    if (dump != NULL) {
        dump->member = member;
        dump->to = to;
        dump->err = ERROR_NONE;
        buffer_init(&dump->bytes, 0);
        list_append(&member->dumps, &dump->link);
    }
    if (dump == NULL || !queue(dump))
        replica_dump_ready(member->replica, to, NULL);
}

static void dump_read(void *owner, uint64_t to, uint64_t number)
{
    struct member *member = owner;
    struct dump_work *dump = work_of(member, to);

    if (dump != NULL)
        dump->number = number;
    if (dump == NULL || !queue(dump))
        replica_dump_piece(member->replica, to, NULL);
}

static void dump_over(void *owner, uint64_t to)
{
    struct dump_work *dump = work_of(owner, to);

    if (dump == NULL)
        return;
    dump->is_over = true;
    if (!dump->is_busy)
        work_free(dump);
}

void member_dump_options(struct replica_options *options)
{
    options->dump_wanted = dump_wanted;
    options->dump_read = dump_read;
    options->dump_over = dump_over;
}

void member_dump_tell(struct member *member)
{
    const struct replica_counters *counters = replica_counters(member->replica);
    uint64_t now_ms = instant_monotonic_ms();

    if (counters->dumps_damaged != member->dumps_damaged_told) {
        member->dumps_damaged_told = counters->dumps_damaged;
        log_event(LOG_WARN, "member",
                  "a dump from the leader was damaged, and is asked for again");
    }
    if (counters->dumps_refused == member->dumps_refused_told)
        return;
    member->dumps_refused_told = counters->dumps_refused;
    if (member->dump_told_ms != 0 && now_ms - member->dump_told_ms < TELL_AGAIN_MS)
        return;
    member->dump_told_ms = now_ms;
    log_event(LOG_ERROR, "member",
              "no room for the state that the leader sends: this node serves what it has; "
              "free space on its disk, or raise store.mapSize, and it goes on by itself");
}
