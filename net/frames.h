/* Frames on a peer link: length of the body as u32 big-endian, type as u8, body.
 *
 * The reader splits what a stream gives; a whole frame is handed on without a
 * copy. Every type has its largest body; a longer one, or a type the table does
 * not know, is refused on sight of the head, before memory is taken for it. The
 * writer gathers small frames and writes them in one go. Sans I/O but for the
 * stream the writer is given. One thread. */
#ifndef GW_NET_FRAMES_H
#define GW_NET_FRAMES_H

#include "base/buffer.h"
#include "base/error.h"

#define FRAME_HEAD_SIZE 5
#define FRAME_TYPES     32

/* Largest body by type; 0: no such type. Static and const. A type whose body is
 * always empty gets 1. */
struct frame_limits {
    uint32_t max[FRAME_TYPES];
};

/* GW_OK to go on. Anything else stops the reader, which hands it on. */
typedef enum result (*frame_fn)(uint8_t type, struct slice body, void *owner);

struct frame_reader {
    const struct frame_limits *limits; /* borrowed */
    struct buffer partial;             /* the frame that is not whole yet */
    size_t wanted;                     /* its whole size, head too; 0: head not whole */
    uint64_t frame_count;
    bool is_stopped;
};

void frame_reader_init(struct frame_reader *reader, const struct frame_limits *limits);
void frame_reader_deinit(struct frame_reader *reader);
/* Gives every whole frame in order. GW_MALFORMED: the link has to be closed;
 * later calls return GW_CLOSED. The reader must not be deinited inside `fn`: let
 * `fn` return GW_CLOSED and do it after. */
enum result frame_reader_push(struct frame_reader *reader, struct slice data, frame_fn fn,
                              void *owner, struct error *err);

struct stream;

struct frame_writer {
    struct stream *stream; /* borrowed; NULL: gather only (tests) */
    struct buffer out;
    size_t begun; /* offset of the head of an open frame, SIZE_MAX: none */
    unsigned corks;
    uint64_t frame_count;
};

/* Bytes gathered by corks stay under `limit`. */
void frame_writer_init(struct frame_writer *writer, struct stream *stream, size_t limit);
void frame_writer_deinit(struct frame_writer *writer);
/* One frame. Goes out at once unless corked. GW_LIMIT: queue full, nothing of it
 * was taken; GW_CLOSED as stream_write. */
enum result frame_write(struct frame_writer *writer, uint8_t type, struct slice body);
/* A frame written in place: append the body to the buffer, then end. */
struct buffer *frame_begin(struct frame_writer *writer, uint8_t type);
/* GW_TOO_LARGE when the body did not fit: the frame is dropped. */
enum result frame_end(struct frame_writer *writer);
/* Corks nest; the last uncork flushes. When that fails (GW_LIMIT) what was gathered
 * stays and goes out before the next frame. */
void frame_cork(struct frame_writer *writer);
enum result frame_uncork(struct frame_writer *writer);
/* Bytes gathered and not given to the stream yet. */
size_t frame_writer_pending(const struct frame_writer *writer);

void frame_head(char *out, uint8_t type, uint32_t body_size);

#endif
