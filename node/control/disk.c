/* Nothing here waits for the disk on the loop, but for statvfs, which asks the kernel's
 * memory. Proving the disk and ending the old member are the pool's; the new member reads
 * the log on the loop, as at a start: some 20 ms, once in the life of a full disk. */
#include "node/control/disk.h"

#include "base/log.h"
#include "node/control/admin.h"
#include "raft/command.h"

#define TRY_MS   2000          /* between two attempts to come back */
#define ROOM_MIN (16ull << 20) /* without minFree: what a log needs to go on with */

bool disk_is_low(uint64_t free_bytes, uint64_t min_free, bool was_low)
{
    return free_bytes < min_free + (was_low ? min_free / 8 : 0);
}

/* ---- who leads ---- */

/* Who shall lead in this node's place: the voter that has most of the log, of those that
 * have room. 0: this node does not lead or may, or nobody else can. */
static uint64_t heir_of(const struct control *control)
{
    const struct member_line *heir = NULL;
    struct member_list list;

    if (!control->disk.is_low || !control_is_leader(control))
        return 0;
    members_gather(control, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct member_line *line = &list.lines[i];
        if (line->is_voter && line->is_reachable && line->has_status && !line->is_low &&
            !line->is_halted && !line->is_quarantined &&
            line->id != control->options.identity.node_id &&
            (heir == NULL || line->lag < heir->lag))
            heir = line;
    }
    return heir == NULL ? 0 : heir->id;
}

/* The member decides; it is told whatever it goes by. */
static void tell(struct control *control, uint64_t heir)
{
    control->disk.heir = heir;
    if (control->member != NULL)
        member_disk_low_set(control->member, control->disk.is_low, heir);
}

bool disk_refuses(struct control *control, struct member_call *call)
{
    struct arena arena;

    if (!control->disk.is_low || call->type != MEMBER_PROPOSE ||
        !control_is_leader(control))
        return false;
    uint64_t heir = heir_of(control);
    call->result = heir != 0 ? GW_NOT_LEADER : GW_DISK_LOW;
    if (call->result == GW_DISK_LOW) {
        control->disk.refused++;
        arena_init(&arena, 0, 0);
        const struct command_detail detail = {
            .text = arena_printf(
                &arena,
                "the disk of '%s', which leads, has %llu MiB left and %llu MiB are needed "
                "(store.minFree), and no other voter has room and can lead; traffic is "
                "served as before; next: df -h %s",
                control->options.identity.name,
                (unsigned long long)(control->disk.free_bytes >> 20),
                (unsigned long long)(control->options.min_free >> 20),
                control->options.data_dir)};
        command_detail_pack(&call->reply, &detail);
        arena_deinit(&arena);
    }
    if (heir != control->disk.heir)
        tell(control, heir);
    return mailbox_post(&control->mailbox, &call->head.mail);
}

/* ---- coming back ---- */

static void start_again(struct control *control)
{
    struct disk *disk = &control->disk;
    struct error err = ERROR_NONE;

    disk->life++;
    disk->heir = 0;
    if (control_start_member(control, &err) != GW_OK) {
        struct member *half = control->member;
        control->member = NULL;
        member_close(half);
        log_event(LOG_ERROR, "disk", "the member does not come back yet",
                  LOG_STR("why", err.text));
        return; /* disk_tick tries again */
    }
    control->is_halted = false;
    disk->returns++;
    if (control->is_draining)
        member_stopping(control->member);
    control_status_send(control);
    log_event(LOG_INFO, "disk", "the member is back",
              LOG_U64("free_bytes", disk->free_bytes));
}

static void old_closed(struct job *job)
{
    struct control *control = job->owner;

    control->disk.old = NULL;
    control->disk.is_back_under_way = false;
    if (!control->is_ending)
        start_again(control);
}

/* Pool. */
static void close_old(struct job *job)
{
    struct control *control = job->owner;

    member_close(control->disk.old);
}

/* Pool. The old member's store writes nothing any more. */
static void prove(struct job *job)
{
    struct control *control = job->owner;

    control->disk.proved = env_prove(control->env);
}

static void proved(struct job *job)
{
    struct control *control = job->owner;
    struct disk *disk = &control->disk;

    if (disk->proved == GW_OK && !control->is_ending) {
        disk->old = control->member;
        control->member = NULL;
        job_start(&disk->job, control->loop, close_old, old_closed, control);
        return;
    }
    disk->is_back_under_way = false;
    if (disk->proved == GW_OK || disk->proved == GW_DISK_LOW)
        return; /* another time */
    disk->is_hopeless = true;
    log_event(LOG_ERROR, "disk", "the disk has room again and takes no write",
              LOG_STR("why", result_text(disk->proved)),
              LOG_STR("next", "mend the disk, then restart this node"));
}

static void come_back(struct control *control, uint64_t now_ms)
{
    struct disk *disk = &control->disk;

    if (!control->is_halted || disk->is_back_under_way || disk->is_hopeless ||
        control->is_ending || (disk->tried_ms != 0 && now_ms - disk->tried_ms < TRY_MS))
        return;
    if (control->member != NULL &&
        (control->view == NULL || control->view->halt_cause != GW_DISK_LOW ||
         disk->is_low || disk->free_bytes < ROOM_MIN))
        return;
    disk->tried_ms = now_ms;
    if (control->member == NULL) { /* the old one is gone already */
        start_again(control);
        return;
    }
    disk->is_back_under_way = true;
    job_start(&disk->job, control->loop, prove, proved, control);
}

void disk_tick(struct control *control, uint64_t now_ms)
{
    struct disk *disk = &control->disk;
    struct env_usage usage = {0};

    env_usage(control->env, &usage);
    disk->free_bytes = usage.free_disk_bytes;
    bool is_low = disk_is_low(disk->free_bytes, control->options.min_free, disk->is_low);
    if (is_low != disk->is_low) {
        disk->is_low = is_low;
        log_event(is_low ? LOG_WARN : LOG_INFO, "disk",
                  is_low ? "the disk is low" : "the disk has room again",
                  LOG_U64("free_bytes", disk->free_bytes),
                  LOG_U64("min_free_bytes", control->options.min_free),
                  LOG_STR("effect", is_low
                                        ? "this node does not lead; it follows and serves"
                                        : "this node may lead"));
        tell(control, heir_of(control));
        control_status_send(control);
    } else if (is_low) {
        uint64_t heir = heir_of(control);
        if (heir != disk->heir)
            tell(control, heir);
    }
    come_back(control, now_ms);
}

void disk_settle(struct control *control)
{
    while (control->disk.is_back_under_way)
        uv_run(control->loop, UV_RUN_ONCE);
}
