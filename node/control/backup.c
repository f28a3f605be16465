/* The state is copied out of one read transaction into an unlinked file, and sent
 * from there: a client that reads slowly holds a file and no transaction, whose
 * pages LMDB could not use again. */
#include "node/control/backup.h"

#include "base/instant.h"
#include "base/log.h"
#include "node/control/admin.h"
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE_BYTES (64u << 10)

/* ---- writing it out ---- */

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

void backup_write_init(struct backup_write *write, const struct control *control)
{
    const struct node_entry *self = control_self(control);

    memset(write, 0, sizeof *write);
    write->env = control->env;
    write->fd = -1;
    write->made_ms = instant_wall_ms();
    copy(write->cluster_id, sizeof write->cluster_id, control->options.identity.cluster_id);
    copy(write->cluster_name, sizeof write->cluster_name, control->nodes.cluster_name);
    copy(write->node, sizeof write->node, control->options.identity.name);
    copy(write->region, sizeof write->region, control->region);
    copy(write->zone, sizeof write->zone, control->zone);
    copy(write->peer, sizeof write->peer, self == NULL ? "" : self->peer);
    copy(write->admin, sizeof write->admin, self == NULL ? "" : self->admin);
}

static enum result write_all(struct backup_write *write, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t n = write->fd < 0
                        ? -1
                        : pwrite(write->fd, bytes.data, bytes.size, (off_t)write->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(&write->err, GW_IO, "write the snapshot: %s", strerror(errno));
        bytes = slice_from(bytes, (size_t)n);
        write->size += (uint64_t)n;
    }
    return GW_OK;
}

static enum result build(struct backup_write *write, struct buffer *dump)
{
    struct record_state state;
    struct txn *txn;
    enum result result = env_begin_read(write->env, &txn);

    if (result == GW_OK) {
        result = record_state_get(txn, &state);
        if (result == GW_OK)
            result = dump_build_txn(txn, dump);
        txn_abort(txn);
    }
    if (dump->failed)
        return error_set(&write->err, GW_TOO_LARGE,
                         "the state is larger than %u MiB: a snapshot does not take it",
                         BACKUP_SIZE_MAX >> 20);
    if (result != GW_OK)
        return error_set(&write->err, result, "read the state: %s", result_text(result));
    write->revision = state.revision;
    return GW_OK;
}

void backup_write_run(struct backup_write *write)
{
    const struct backup_about about = {.made_ms = write->made_ms,
                                       .cluster_id = slice_from_string(write->cluster_id),
                                       .cluster_name =
                                           slice_from_string(write->cluster_name),
                                       .node = slice_from_string(write->node),
                                       .region = slice_from_string(write->region),
                                       .zone = slice_from_string(write->zone),
                                       .peer = slice_from_string(write->peer),
                                       .admin = slice_from_string(write->admin),
                                       .version = SLICE(CONTROL_VERSION)};
    struct buffer head, dump;

    buffer_init(&head, 0);
    buffer_init(&dump, BACKUP_SIZE_MAX);
    write->result = build(write, &dump);
    if (write->result == GW_OK && !backup_head(&head, &about, buffer_slice(&dump)))
        write->result = error_set(&write->err, GW_NO_MEMORY, "write the snapshot");
    if (write->result == GW_OK)
        write->result = write_all(write, buffer_slice(&head));
    if (write->result == GW_OK)
        write->result = write_all(write, buffer_slice(&dump));
    buffer_deinit(&head);
    buffer_deinit(&dump);
}

/* ---- the answer to a client ---- */

struct sending {
    struct list_link link;
    struct control *control;
    struct request *request; /* until its file is written */
    struct http_call *call;  /* from then on */
    struct backup_write write;
    uint64_t sent, moved_ms;
};

static void sending_free(struct sending *stream)
{
    list_remove(&stream->link);
    stream->control->backup_stream_count--;
    if (stream->write.fd >= 0)
        close(stream->write.fd);
    free(stream);
}

/* What was sent ends here: a client that got less than the head says knows so. */
static void sending_end(struct sending *stream)
{
    struct http_call *call = stream->call;

    call->context = NULL;
    call->on_drain = NULL;
    call->on_gone = NULL;
    sending_free(stream);
    http_server_reply_end(call);
}

static void sending_gone(struct http_call *call)
{
    sending_end(call->context);
}

static void sending_pump(struct http_call *call)
{
    struct sending *stream = call->context;
    char piece[PIECE_BYTES];

    while (stream->sent < stream->write.size) {
        ssize_t n = pread(stream->write.fd, piece, sizeof piece, (off_t)stream->sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            log_event(LOG_ERROR, "backup", "snapshot cut short",
                      LOG_STR("why", n < 0 ? strerror(errno) : "its file ended"));
            break;
        }
        enum result result = http_server_reply_write(call, slice_of(piece, (size_t)n));
        if (result == GW_LIMIT)
            return; /* until it drains */
        if (result != GW_OK)
            break;
        stream->sent += (uint64_t)n;
        stream->moved_ms = control_now_ms(stream->control);
    }
    sending_end(stream);
}

void backup_tick(struct control *control, uint64_t now_ms)
{
    struct list_link stalled, *link;

    list_init(&stalled);
    list_each (&control->backup_streams, item) {
        struct sending *stream = container_of(item, struct sending, link);
        if (stream->call != NULL && now_ms - stream->moved_ms > BACKUP_STALL_MS) {
            list_remove(item);
            list_append(&stalled, item);
        }
    }
    while ((link = list_take_first(&stalled)) != NULL) {
        list_append(&control->backup_streams, link);
        log_event(LOG_WARN, "backup", "snapshot given up",
                  LOG_STR("why", "its client takes nothing"));
        sending_end(container_of(link, struct sending, link));
    }
}

static void job_run(struct job *job)
{
    backup_write_run(job->owner);
}

static void job_done(struct job *job)
{
    struct backup_write *write = job->owner;
    struct sending *stream = container_of(write, struct sending, write);
    struct request *request = stream->request;
    char revision[24];

    if (write->result != GW_OK) {
        sending_free(stream);
        request_fail_error(request, &write->err);
        return;
    }
    snprintf(revision, sizeof revision, "%llu", (unsigned long long)write->revision);
    const struct http_field fields[] = {
        {SLICE("content-type"), SLICE("application/octet-stream")},
        {SLICE("gw-revision"), slice_from_string(revision)},
        {SLICE("cache-control"), SLICE("no-store")}};
    log_event(LOG_INFO, "backup", "snapshot sent", LOG_SLICE("actor", request->actor),
              LOG_U64("revision", write->revision), LOG_U64("bytes", write->size));
    stream->request = NULL;
    stream->call = request_detach(request);
    stream->moved_ms = control_now_ms(stream->control);
    stream->call->context = stream;
    stream->call->on_gone = sending_gone;
    stream->call->on_drain = sending_pump;
    http_server_reply_begin(stream->call, 200, fields, 3);
    sending_pump(stream->call);
}

static void save(struct request *request)
{
    struct control *control = request->control;
    struct sending *stream;

    if (control->backup_stream_count >= BACKUP_STREAMS_MAX) {
        control->requests_refused++;
        request_fail(request, GW_LIMIT,
                     "%u snapshots are being taken from this node: try again in a moment",
                     BACKUP_STREAMS_MAX);
        return;
    }
    stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        request_fail(request, GW_NO_MEMORY, "take a snapshot");
        return;
    }
    backup_write_init(&stream->write, control);
    stream->write.fd =
        open(control->options.data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (stream->write.fd < 0) {
        request_fail(request, GW_IO, "make a file for the snapshot in '%s': %s",
                     control->options.data_dir, strerror(errno));
        free(stream);
        return;
    }
    stream->control = control;
    stream->request = request;
    list_append(&control->backup_streams, &stream->link);
    control->backup_stream_count++;
    job_start(&stream->write.job, control->loop, job_run, job_done, &stream->write);
}

void backup_get(struct request *request)
{
    request_linearize(request, save);
}
