/* The control side's metrics, brought up to date whenever somebody reads them:
 * nothing here has to be counted while nobody looks. Names: the ecosystem's
 * conventions; states are labels with 0 or 1. */
#include "base/instant.h"
#include "node/control/admin.h"
#include "node/control/schedule.h"
#include "node/control/upkeep.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONTROL_SHARD (-1)

static void set(struct control *control, const char *name, const char *help,
                struct slice labels, uint64_t value)
{
    metric_set(metrics_gauge(control->options.metrics, name, help, labels, CONTROL_SHARD),
               value);
}

/* A total kept elsewhere: the cell becomes it. */
static void total(struct control *control, const char *name, const char *help,
                  struct slice labels, uint64_t value)
{
    metric_set(metrics_counter(control->options.metrics, name, help, labels, CONTROL_SHARD),
               value);
}

static struct slice label(struct buffer *buffer, const char *key, const char *value)
{
    buffer_reset(buffer);
    metric_label(buffer, key, slice_from_string(value));
    return buffer_slice(buffer);
}

static void update_raft(struct control *control)
{
    static const char *const roles[] = {"follower", "candidate", "leader", "halted"};
    const struct member_view *view = control->view;
    const struct slice none = {0};
    struct buffer labels;

    if (view == NULL)
        return;
    const struct replica_view *replica = &view->replica;
    const struct replica_counters *counters = &view->replica_counters;
    buffer_init(&labels, 1024);
    for (unsigned i = 0; i < 4; i++)
        set(control, "gw_raft_role", "What this node is in Raft.",
            label(&labels, "role", roles[i]), replica->state == (enum replica_state)i);
    set(control, "gw_raft_term", "Raft's term.", none, replica->term);
    set(control, "gw_raft_leader", "Id of the leader, 0 without.", none, replica->leader);
    set(control, "gw_raft_last_index", "Last index of the log.", none, replica->last);
    set(control, "gw_raft_commit_index", "Last committed index.", none, replica->commit);
    set(control, "gw_raft_applied_index", "Last index that readers see.", none,
        replica->visible);
    /* 52 bits, so that a double holds it to the digit. Equal at equal applied index. */
    set(control, "gw_state_digest", "Digest of the replicated state, its low 52 bits.",
        none, control->nodes.state.digest & ((1ull << 52) - 1));
    total(control, "gw_raft_elections_total", "Elections begun by this node.", none,
          counters->elections);
    total(control, "gw_raft_transfers_total", "Times this node handed leadership over.",
          none, counters->transfers);
    total(control, "gw_raft_proposals_total", "Entries proposed by this node.", none,
          counters->proposals);
    total(control, "gw_raft_messages_received_total", "Raft messages in.", none,
          counters->messages_in);
    total(control, "gw_raft_messages_sent_total", "Raft messages out.", none,
          counters->messages_out);
    total(control, "gw_raft_messages_gathered_total",
          "Raft messages that went with another.", none, counters->gathered);
    total(control, "gw_raft_snapshots_taken_total", "Snapshots taken.", none,
          counters->snapshots_taken);
    total(control, "gw_raft_compacted_by_bytes_total",
          "Snapshots taken as the log had grown too long in bytes.", none,
          counters->compacted_by_bytes);
    total(control, "gw_raft_dropped_total",
          "Raft messages dropped with too much in flight or waiting for the disk.", none,
          counters->dropped);
    set(control, "gw_raft_log_entries", "Entries in the log.", none, replica->log_entries);
    set(control, "gw_raft_log_bytes", "Bytes of the log, in memory and on the disk.", none,
        replica->log_bytes);
    total(control, "gw_raft_dumps_sent_total", "Dumps sent to peers.", none,
          counters->dumps_sent);
    total(control, "gw_raft_dumps_installed_total", "Dumps installed here.", none,
          counters->dumps_installed);
    total(control, "gw_raft_dump_pieces_sent_total", "Pieces of dumps sent.", none,
          counters->dump_pieces_sent);
    total(control, "gw_raft_dump_pieces_received_total", "Pieces of dumps taken in.", none,
          counters->dump_pieces_received);
    total(control, "gw_raft_dump_bytes_sent_total", "Bytes of dumps sent.", none,
          counters->dump_bytes_sent);
    total(control, "gw_raft_dump_bytes_received_total", "Bytes of dumps taken in.", none,
          counters->dump_bytes_received);
    total(control, "gw_raft_dump_resumes_total",
          "Times a dump under way went on from what its receiver had.", none,
          counters->dump_resumes);
    total(control, "gw_raft_dump_aborts_total", "Dumps given up, sent or received.", none,
          counters->dump_aborts);
    total(control, "gw_raft_dumps_damaged_total", "Dumps received that did not check.",
          none, counters->dumps_damaged);
    total(control, "gw_raft_dumps_refused_total",
          "Pieces of dumps refused for want of room on the disk.", none,
          counters->dumps_refused);
    buffer_deinit(&labels);
}

static void update_links(struct control *control)
{
    const struct slice none = {0};

    if (control->view == NULL)
        return;
    const struct member_counters *counters = &control->view->counters;
    total(control, "gw_link_frames_received_total", "Frames from peers.", none,
          counters->frames_in);
    total(control, "gw_link_frames_sent_total", "Frames to peers.", none,
          counters->frames_out);
    total(control, "gw_link_bytes_received_total", "Bytes from peers.", none,
          counters->bytes_in);
    total(control, "gw_link_bytes_sent_total", "Bytes to peers.", none,
          counters->bytes_out);
    total(control, "gw_link_malformed_total", "Links closed for what they said.", none,
          counters->malformed);
    total(control, "gw_link_opened_total", "Links opened.", none, counters->links_opened);
    total(control, "gw_link_refused_total", "Links refused.", none,
          counters->links_refused);
    total(control, "gw_link_dropped_total", "Messages dropped with too much waiting.", none,
          counters->dropped_over_limit);
    total(control, "gw_link_joins_total", "Join requests.", none, counters->joins);
    total(control, "gw_joins_refused_total", "Join requests that were refused here.", none,
          control->joins_refused);
}

static void update_members(struct control *control)
{
    static const char *const roles[] = {"voter", "standby", "witness"};
    static const char *const states[] = {"leader", "follower", "unreachable", "halted"};
    struct member_list list;
    struct buffer labels;

    members_gather(control, &list);
    buffer_init(&labels, 1024);
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            uint64_t count = 0;
            for (size_t i = 0; i < list.count; i++)
                count += strcmp(list.lines[i].role, roles[r]) == 0 &&
                         strcmp(list.lines[i].state, states[s]) == 0;
            buffer_reset(&labels);
            metric_label(&labels, "role", slice_from_string(roles[r]));
            metric_label(&labels, "state", slice_from_string(states[s]));
            set(control, "gw_members", "Members by role and state, as this node sees them.",
                buffer_slice(&labels), count);
        }
    }
    set(control, "gw_member_halted",
        "1 after an error of the log: no vote, traffic goes on.", (struct slice){0},
        control->is_halted);
    buffer_deinit(&labels);
}

static unsigned count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static void update_process(struct control *control)
{
    const struct slice none = {0};
    struct rusage usage;
    struct rlimit limit;
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &pages, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    set(control, "process_resident_memory_bytes", "Resident memory size in bytes.", none,
        (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE));
    set(control, "process_open_fds", "Number of open file descriptors.", none,
        count_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        set(control, "process_max_fds", "Maximum number of open file descriptors.", none,
            limit.rlim_cur);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        total(control, "process_cpu_seconds_total", "Total user and system CPU time.", none,
              (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec);
    set(control, "process_start_time_seconds", "Start time since the epoch.", none,
        (instant_wall_ms() - (control_now_ms(control) - control->started_ms)) / 1000);
}

static void update_store(struct control *control)
{
    const struct slice none = {0};
    struct env_usage usage = {0};

    env_usage(control->env, &usage);
    set(control, "gw_lmdb_used_bytes", "Bytes of the database in use.", none,
        usage.used_bytes);
    set(control, "gw_lmdb_map_size_bytes", "Bytes the database may have.", none,
        usage.map_bytes);
    set(control, "gw_disk_free_bytes", "Bytes free on the data directory's disk.", none,
        usage.free_disk_bytes);
    set(control, "gw_disk_low", "1 below store.minFree: this node does not lead.", none,
        control->disk.is_low);
    total(control, "gw_disk_low_refused_total",
          "Proposals refused since the leader's disk is low.", none, control->disk.refused);
    total(control, "gw_member_returns_total",
          "Times the member came back after a full disk.", none, control->disk.returns);
}

static void update_backups(struct control *control)
{
    const struct slice none = {0};
    const struct schedule_counts *counts;
    struct buffer labels;

    set(control, "gw_snapshots_streaming", "Snapshots on their way to a client.", none,
        control->backup_stream_count);
    if (control->schedule == NULL)
        return;
    counts = schedule_counts(control->schedule);
    buffer_init(&labels, 256);
    total(control, "gw_backups_total", "Backups by the clock.",
          label(&labels, "result", "ok"), counts->done);
    total(control, "gw_backups_total", "Backups by the clock.",
          label(&labels, "result", "failed"), counts->failed);
    buffer_deinit(&labels);
    set(control, "gw_backup_last_success_timestamp_seconds",
        "When the newest backup was made; 0: none since the start.", none,
        counts->last_ms / 1000);
    set(control, "gw_backup_last_size_bytes", "Size of the newest backup.", none,
        counts->last_bytes);
}

static void update_credentials(struct control *control)
{
    const struct slice none = {0};
    const struct upkeep_counts *counts;
    struct buffer labels;
    uint64_t from_ms, until_ms;

    if (control->credentials == NULL || control->upkeep == NULL)
        return;
    counts = upkeep_counts(control->upkeep);
    certificate_validity(credentials_certificate(control->credentials), &from_ms,
                         &until_ms);
    set(control, "gw_node_certificate_expiry_timestamp_seconds",
        "When this node's own certificate runs out.", none, until_ms / 1000);
    buffer_init(&labels, 256);
    total(control, "gw_node_certificate_renewals_total",
          "Renewals of this node's own certificate.", label(&labels, "result", "ok"),
          counts->renewed);
    total(control, "gw_node_certificate_renewals_total",
          "Renewals of this node's own certificate.", label(&labels, "result", "failed"),
          counts->failed);
    buffer_deinit(&labels);
}

static void update_sameness(struct control *control)
{
    const struct sameness *sameness = &control->sameness;
    const struct slice none = {0};

    set(control, "gw_member_quarantined",
        "1 while this node's state is not that of the majority: no writes, no leading.",
        none, sameness->is_quarantined);
    set(control, "gw_state_split",
        "1 while states differ and no majority of the voters is one.", none,
        sameness->is_split);
    set(control, "gw_apply_lagging",
        "1 while something was committed over 5 s ago and is not visible here.", none,
        sameness->is_lagging);
    total(control, "gw_admin_quarantined_total",
          "Requests refused since this node is quarantined.", none,
          control->quarantine_refused);
}

static void update_watches(struct control *control)
{
    const struct watches *watches = &control->watches;
    const struct slice none = {0};

    set(control, "gw_watches", "Watches that are open.", none, watches->count);
    set(control, "gw_watch_held_bytes", "Changes read for watches and not sent yet.", none,
        watches->bytes);
    total(control, "gw_watches_begun_total", "Watches begun.", none, watches->begun);
    total(control, "gw_watches_refused_total", "Watches over the limit.", none,
          watches->refused);
    total(control, "gw_watches_cut_total", "Watches whose client took nothing.", none,
          watches->cut);
    total(control, "gw_watches_compacted_total",
          "Watches so slow that the history no longer had what came next.", none,
          watches->compacted);
}

static void update_faults(struct control *control)
{
    struct buffer labels;

    buffer_init(&labels, 256);
    for (int kind = 1; kind < FAULT_KINDS; kind++)
        set(control, "gw_faults_armed", "Fault points that are armed on this node.",
            label(&labels, "kind", fault_kind_name((enum fault_kind)kind)),
            faults_armed(&control->faults, (enum fault_kind)kind));
    buffer_deinit(&labels);
}

void gauges_update(struct control *control)
{
    const struct slice none = {0};
    const struct publish *publish = &control->publish;
    unsigned failed = 0;
    struct buffer labels;

    for (size_t i = 0; i < publish->listener_count; i++)
        failed += publish->listeners[i].state == LISTENER_FAILED;
    set(control, "gw_config_revision", "Revision that all workers serve.", none,
        publish->served);
    set(control, "gw_config_visible_revision", "Revision that is committed here.", none,
        control->visible_revision);
    total(
        control, "gw_config_compiles_deferred_total",
        "News of a revision while compiling rested, so that several were compiled as one.",
        none, publish->skipped);
    total(control, "gw_config_compile_failures_total", "Revisions that did not compile.",
          none, publish->failures);
    set(control, "gw_listeners_failed", "Listeners that could not be opened.", none,
        failed);
    set(control, "gw_ready", "1 while /readyz says so.", none,
        control_is_ready(control, NULL));
    total(control, "gw_admin_requests_total", "Requests to the admin API.", none,
          control->requests_total);
    total(control, "gw_admin_requests_refused_total", "Requests without right or room.",
          none, control->requests_refused);
    total(control, "gw_admin_writes_total", "Writes answered.", none,
          control->writes_total);
    total(control, "gw_admin_forwards_total", "Requests forwarded to the leader.", none,
          control->forwards_total);
    total(control, "gw_admin_rechecks_total", "Writes checked once more.", none,
          control->proposer.counters_again);
    buffer_init(&labels, 256);
    set(control, "gw_build_info", "The version that runs.",
        label(&labels, "version", CONTROL_VERSION), 1);
    buffer_deinit(&labels);
    update_raft(control);
    update_links(control);
    update_members(control);
    update_process(control);
    update_store(control);
    update_backups(control);
    update_credentials(control);
    update_watches(control);
    update_sameness(control);
    update_faults(control);
}
