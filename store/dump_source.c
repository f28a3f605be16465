/* The file, and where in it each piece ends. */
#include "store/dump_source.h"

#include "store/dump.h"
#include "store/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SPARE_BYTES (64u << 20)

struct piece {
    uint64_t end;
    bool is_cut;
};

struct dump_source {
    int fd; /* -1: in `bytes` */
    struct buffer bytes;
    struct piece *pieces;
    size_t count, room;
    uint64_t id;
    size_t piece_bytes;
    struct error *err; /* while it is made */
};

static uint64_t end_of(const struct dump_source *source)
{
    return source->count == 0 ? 0 : source->pieces[source->count - 1].end;
}

static enum result write_at_end(struct dump_source *source, struct slice bytes)
{
    uint64_t at = end_of(source);

    if (source->fd < 0)
        return buffer_append_slice(&source->bytes, bytes) ? GW_OK : GW_NO_MEMORY;
    while (bytes.size > 0) {
        ssize_t n = pwrite(source->fd, bytes.data, bytes.size, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(source->err, GW_IO, "write a dump: %s", strerror(errno));
        bytes = slice_from(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return GW_OK;
}

static enum result add_piece(struct dump_source *source, struct slice bytes, bool is_cut)
{
    enum result result;

    if (source->count == source->room) {
        size_t room = source->room == 0 ? 64 : source->room * 2;
        struct piece *grown = realloc(source->pieces, room * sizeof *grown);

        if (grown == NULL)
            return GW_NO_MEMORY;
        source->pieces = grown;
        source->room = room;
    }
    result = write_at_end(source, bytes);
    if (result == GW_OK) {
        uint64_t end = end_of(source) + bytes.size;
        source->pieces[source->count++] = (struct piece){end, is_cut};
    }
    return result;
}

static enum result add_item(void *owner, struct slice item)
{
    struct dump_source *source = owner;
    enum result result = GW_OK;

    if (source->count == 0) { /* the header, whole: the id follows from it */
        source->id = staging_id(item);
        return add_piece(source, item, false);
    }
    while (result == GW_OK && item.size > source->piece_bytes) {
        result = add_piece(source, slice_sub(item, 0, source->piece_bytes), true);
        item = slice_from(item, source->piece_bytes);
    }
    return result == GW_OK ? add_piece(source, item, false) : result;
}

/* A file for a peer must not take the room of this node's own log. How large it will be
 * is not known before it is made: no larger than all that the env holds. */
static enum result check_room(const struct dump_source_options *options, struct error *err)
{
    uint64_t spare = options->spare_bytes == 0 ? SPARE_BYTES : options->spare_bytes;
    struct env_usage usage;

    env_usage(options->env, &usage);
    if (usage.free_disk_bytes >= usage.used_bytes &&
        usage.free_disk_bytes - usage.used_bytes >= spare)
        return GW_OK;
    return error_set(err, GW_IO,
                     "'%s' has no room for a dump of up to %llu MiB: free some on its disk",
                     options->dir, (unsigned long long)usage.used_bytes >> 20);
}

enum result dump_source_open(const struct dump_source_options *options,
                             struct dump_source **ret_source, struct error *err)
{
    size_t chunk_bytes =
        options->chunk_bytes == 0 ? DUMP_CHUNK_BYTES : options->chunk_bytes;
    struct dump_source *source = calloc(1, sizeof *source);
    struct txn *txn;
    enum result result;

    *err = ERROR_NONE;
    if (source == NULL)
        return error_set(err, GW_NO_MEMORY, "make a dump");
    source->fd = -1;
    source->err = err;
    source->piece_bytes =
        options->piece_bytes == 0 ? DUMP_PIECE_BYTES : options->piece_bytes;
    buffer_init(&source->bytes, 0);
    if (options->dir != NULL) {
        if (check_room(options, err) != GW_OK) {
            dump_source_close(source);
            return err->code;
        }
        source->fd = open(options->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (source->fd < 0) {
            error_set(err, GW_IO, "open a file for a dump in '%s': %s", options->dir,
                      strerror(errno));
            dump_source_close(source);
            return err->code;
        }
    }
    result = env_begin_read(options->env, &txn);
    if (result == GW_OK) {
        result = dump_items(txn, chunk_bytes, add_item, source);
        txn_abort(txn);
    }
    source->err = NULL;
    if (result != GW_OK) {
        dump_source_close(source);
        return err->code != GW_OK
                   ? err->code
                   : error_set(err, result, "make a dump: %s", result_text(result));
    }
    *ret_source = source;
    return GW_OK;
}

void dump_source_close(struct dump_source *source)
{
    if (source == NULL)
        return;
    if (source->fd >= 0)
        close(source->fd);
    buffer_deinit(&source->bytes);
    free(source->pieces);
    free(source);
}

struct dump_about dump_source_about(const struct dump_source *source)
{
    return (struct dump_about){source->id, source->count, end_of(source)};
}

static enum result read_range(struct dump_source *source, uint64_t at, size_t size,
                              struct buffer *out, struct error *err)
{
    char *to = buffer_reserve(out, size);

    if (to == NULL)
        return error_set(err, GW_NO_MEMORY, "read a dump");
    if (source->fd < 0) {
        memcpy(to, source->bytes.data + at, size);
        buffer_commit(out, size);
        return GW_OK;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(source->fd, to + done, size - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, GW_IO, "read a dump: %s",
                             n == 0 ? "the file is shorter" : strerror(errno));
        done += (size_t)n;
    }
    buffer_commit(out, size);
    return GW_OK;
}

enum result dump_source_read(struct dump_source *source, uint64_t number,
                             struct buffer *out, struct dump_piece *ret_piece,
                             struct error *err)
{
    uint64_t start, end;
    enum result result;

    *err = ERROR_NONE;
    if (number >= source->count)
        return error_set(err, GW_NOT_FOUND, "a dump has no piece %llu",
                         (unsigned long long)number);
    start = number == 0 ? 0 : source->pieces[number - 1].end;
    end = source->pieces[number].end;
    buffer_reset(out);
    result = read_range(source, start, (size_t)(end - start), out, err);
    if (result == GW_OK)
        *ret_piece = (struct dump_piece){.number = number,
                                         .rest_bytes = end_of(source) - start,
                                         .is_cut = source->pieces[number].is_cut,
                                         .bytes = buffer_slice(out)};
    return result;
}
