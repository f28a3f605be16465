/* Splits a stream into frames and joins frames into writes.
 *
 * A frame that lies whole in what was read is handed on in place; only one that
 * is cut is gathered, and its memory grows with what has arrived, not with what
 * its head promises. */
#include "net/frames.h"

#include "net/stream.h"

#define KEPT_CAPACITY 65536

void frame_head(char *out, uint8_t type, uint32_t body_size)
{
    out[0] = (char)(body_size >> 24);
    out[1] = (char)(body_size >> 16);
    out[2] = (char)(body_size >> 8);
    out[3] = (char)body_size;
    out[4] = (char)type;
}

void frame_reader_init(struct frame_reader *reader, const struct frame_limits *limits)
{
    *reader = (struct frame_reader){.limits = limits};
    buffer_init(&reader->partial, 0);
}

void frame_reader_deinit(struct frame_reader *reader)
{
    if (reader != NULL)
        buffer_deinit(&reader->partial);
}

static enum result stop(struct frame_reader *reader, enum result result)
{
    reader->is_stopped = true;
    buffer_deinit(&reader->partial);
    return result;
}

/* The whole size of the frame whose head stands here. */
static enum result read_head(const struct frame_reader *reader, const char *head,
                             size_t *ret_size, struct error *err)
{
    const uint8_t *b = (const uint8_t *)head;
    uint32_t size =
        (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    uint8_t type = b[4];

    if (type >= FRAME_TYPES || reader->limits->max[type] == 0)
        return error_set(err, GW_MALFORMED, "a frame of unknown type %u", type);
    if (size > reader->limits->max[type])
        return error_set(err, GW_MALFORMED, "a frame of type %u with %u bytes, at most %u",
                         type, size, reader->limits->max[type]);
    *ret_size = FRAME_HEAD_SIZE + (size_t)size;
    return GW_OK;
}

static enum result give(struct frame_reader *reader, const char *frame, size_t size,
                        frame_fn fn, void *owner)
{
    reader->frame_count++;
    return fn((uint8_t)frame[4], slice_of(frame + FRAME_HEAD_SIZE, size - FRAME_HEAD_SIZE),
              owner);
}

/* Moves bytes of `data` behind the partial frame until it holds `size`. */
static bool fill(struct frame_reader *reader, struct slice *data, size_t size)
{
    if (reader->partial.size >= size)
        return true;
    struct slice part = slice_sub(*data, 0, size - reader->partial.size);
    if (!buffer_append_slice(&reader->partial, part))
        return false;
    *data = slice_from(*data, part.size);
    return true;
}

enum result frame_reader_push(struct frame_reader *reader, struct slice data, frame_fn fn,
                              void *owner, struct error *err)
{
    enum result result;

    if (reader->is_stopped)
        return error_set(err, GW_CLOSED, "read a frame after the end");
    while (data.size > 0) {
        if (reader->partial.size == 0 && data.size >= FRAME_HEAD_SIZE) {
            size_t size = 0;
            result = read_head(reader, data.data, &size, err);
            if (result != GW_OK)
                return stop(reader, result);
            if (data.size >= size) {
                result = give(reader, data.data, size, fn, owner);
                if (result != GW_OK)
                    return stop(reader, result);
                data = slice_from(data, size);
                continue;
            }
            reader->wanted = size;
        }
        if (!fill(reader, &data, reader->wanted == 0 ? FRAME_HEAD_SIZE : reader->wanted))
            return stop(reader, error_set(err, GW_NO_MEMORY, "read a frame"));
        if (reader->wanted == 0) {
            if (reader->partial.size < FRAME_HEAD_SIZE)
                return GW_OK;
            result = read_head(reader, reader->partial.data, &reader->wanted, err);
            if (result != GW_OK)
                return stop(reader, result);
        }
        if (reader->partial.size < reader->wanted)
            continue;
        result = give(reader, reader->partial.data, reader->wanted, fn, owner);
        if (result != GW_OK)
            return stop(reader, result);
        reader->wanted = 0;
        if (reader->partial.capacity > KEPT_CAPACITY)
            buffer_deinit(&reader->partial);
        else
            buffer_reset(&reader->partial);
    }
    return GW_OK;
}

void frame_writer_init(struct frame_writer *writer, struct stream *stream, size_t limit)
{
    *writer = (struct frame_writer){.stream = stream, .begun = SIZE_MAX};
    buffer_init(&writer->out, limit);
}

void frame_writer_deinit(struct frame_writer *writer)
{
    if (writer != NULL)
        buffer_deinit(&writer->out);
}

static enum result flush(struct frame_writer *writer)
{
    if (writer->stream == NULL || writer->out.size == 0)
        return GW_OK;
    enum result result = stream_write(writer->stream, buffer_slice(&writer->out));
    if (result != GW_OK)
        return result; /* nothing was taken: what is gathered stays */
    if (writer->out.capacity > KEPT_CAPACITY) {
        buffer_deinit(&writer->out);
    } else {
        buffer_reset(&writer->out);
    }
    return GW_OK;
}

enum result frame_write(struct frame_writer *writer, uint8_t type, struct slice body)
{
    struct buffer *out = frame_begin(writer, type);
    buffer_append_slice(out, body);
    enum result result = frame_end(writer);
    return result == GW_TOO_LARGE ? GW_LIMIT : result;
}

struct buffer *frame_begin(struct frame_writer *writer, uint8_t type)
{
    char head[FRAME_HEAD_SIZE];

    writer->begun = writer->out.size;
    writer->out.failed = false;
    frame_head(head, type, 0);
    buffer_append(&writer->out, head, sizeof head);
    return &writer->out;
}

enum result frame_end(struct frame_writer *writer)
{
    size_t begun = writer->begun;

    writer->begun = SIZE_MAX;
    if (writer->out.failed || writer->out.size - begun - FRAME_HEAD_SIZE > UINT32_MAX) {
        writer->out.size = begun;
        writer->out.failed = false;
        return GW_TOO_LARGE;
    }
    frame_head(writer->out.data + begun, (uint8_t)writer->out.data[begun + 4],
               (uint32_t)(writer->out.size - begun - FRAME_HEAD_SIZE));
    enum result result = writer->corks == 0 ? flush(writer) : GW_OK;
    if (result == GW_OK)
        writer->frame_count++;
    else
        writer->out.size = begun;
    return result;
}

void frame_cork(struct frame_writer *writer)
{
    writer->corks++;
}

enum result frame_uncork(struct frame_writer *writer)
{
    if (writer->corks > 0)
        writer->corks--;
    return writer->corks == 0 ? flush(writer) : GW_OK;
}

size_t frame_writer_pending(const struct frame_writer *writer)
{
    return writer->out.size;
}
