/* A byte stream over TCP or a UNIX socket, plain or TLS, behind one interface:
 * for the control side and the peer links. Not for the proxy's request path.
 *
 * TLS runs over OpenSSL's memory BIOs. The price: each byte is copied twice more
 * than over a plain socket, and a buffer of 17 KiB stands per open TLS stream;
 * in return OpenSSL never touches a descriptor and libuv keeps all of the I/O.
 *
 * The process must ignore SIGPIPE: libuv writes without MSG_NOSIGNAL.
 *
 * A stream lives on one loop; every function and callback is on its thread. It is
 * on the heap, made by accept or connect, and frees itself once stream_close has
 * run its callback. After stream_close (from anywhere, also from inside a
 * callback) no other callback of it runs. on_end and on_error do not close:
 * the owner does. */
#ifndef GW_NET_STREAM_H
#define GW_NET_STREAM_H

#include "net/address.h"
#include "net/tls.h"

#define STREAM_TEXT_SIZE 128

struct stream;

enum stream_transport { STREAM_PLAIN, STREAM_UNIX, STREAM_TLS };

/* Any of them may be NULL. `owner` is what accept or connect was given. */
struct stream_events {
    /* Connected, and the handshake done where there is one. An accepted plain
     * stream opens in the next turn of the loop, never inside stream_accept. */
    void (*on_open)(struct stream *stream, void *owner);
    /* `data` is valid during the call. */
    void (*on_data)(struct stream *stream, struct slice data, void *owner);
    /* The other side will send no more; writing may still work. */
    void (*on_end)(struct stream *stream, void *owner);
    /* Once, and nothing after it: close the stream. */
    void (*on_error)(struct stream *stream, const struct error *err, void *owner);
    /* Everything written has left for the kernel, after some of it had to wait. */
    void (*on_drain)(struct stream *stream, void *owner);
};

struct stream_options {
    struct tls_context *tls;         /* NULL: plain; shared */
    const struct tls_expect *expect; /* clients; copied; may be NULL */
    uint64_t open_timeout_ms;        /* lookup, connect and handshake; 0: 10 s */
    size_t write_limit;              /* bytes queued at most; 0: 8 MiB */
};

/* Takes `fd` (also on failure): a connected TCP or UNIX socket. */
enum result stream_accept(uv_loop_t *loop, int fd, const struct stream_options *options,
                          const struct stream_events *events, void *owner,
                          struct stream **ret_stream, struct error *err);
/* `target`: "host:port" or "unix:PATH". Looks names up, tries each address in
 * turn. Fails at once only for a malformed target or without memory; the rest is
 * told by on_error. */
enum result stream_connect(uv_loop_t *loop, struct slice target,
                           const struct stream_options *options,
                           const struct stream_events *events, void *owner,
                           struct stream **ret_stream, struct error *err);

/* Once open (before: GW_AGAIN). Tries the socket first, queues the rest.
 * GW_LIMIT: more than the limit would be queued, nothing was taken; GW_CLOSED:
 * ended, failed or closing. Failure of the socket comes by on_error, later. */
enum result stream_write(struct stream *stream, struct slice data); /* copies what waits */
/* Takes `data`, which is malloc's, also on failure. */
enum result stream_write_take(struct stream *stream, char *data, size_t size);
/* Bytes that wait for the kernel, as they go over the wire. */
size_t stream_queued_bytes(const struct stream *stream);
/* No more writes; what is queued goes out, then close_notify and FIN. */
void stream_end(struct stream *stream);

/* While paused no on_data; a little that was read already is kept. on_end waits
 * behind it. Both may be called inside callbacks. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

typedef void (*stream_close_cb)(void *owner);
/* Drops what is queued. `closed` (may be NULL) runs in a later turn, as the last
 * thing. A second call is ignored, its callback too. NULL is fine. */
void stream_close(struct stream *stream, stream_close_cb closed);
/* As stream_end, then waits for the other side to end, and closes; data that still
 * comes is dropped. It waits `linger_ms`, and again as long as what is queued gets
 * less meanwhile. No other callback runs. */
void stream_close_gently(struct stream *stream, uint64_t linger_ms, stream_close_cb closed);

/* For those who take a stream over (a protocol chosen by ALPN): from now on these
 * events and this owner. */
void stream_set_events(struct stream *stream, const struct stream_events *events,
                       void *owner);

enum stream_transport stream_transport(const struct stream *stream);
bool stream_is_open(const struct stream *stream);
/* Who is there, by certificate; kind NONE without one. Never NULL once open. */
const struct identity *stream_identity(const struct stream *stream);
/* The ALPN protocol, empty without. */
struct slice stream_protocol(const struct stream *stream);
/* "10.0.0.1:7000" or "unix": for logs and sentences. Never NULL. */
const char *stream_peer_text(const struct stream *stream);
/* The least round trip lately, by the kernel; 0: not known, or no TCP. */
uint64_t stream_round_trip_us(const struct stream *stream);
/* False for a UNIX socket. */
bool stream_peer_address(const struct stream *stream, struct address *ret_address);
uint64_t
stream_received_bytes(const struct stream *stream);      /* plain bytes given to on_data */
uint64_t stream_sent_bytes(const struct stream *stream); /* plain bytes taken by write */

#endif
