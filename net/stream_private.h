/* Inside a stream: shared by its three rooms, stream.c (reading, errors, ends),
 * stream_write.c and stream_open.c. */
#ifndef GW_NET_STREAM_PRIVATE_H
#define GW_NET_STREAM_PRIVATE_H

#include "net/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define ADDRESSES_MAX 8
#define RECORD_SIZE   16384 /* of TLS */

enum stream_state {
    STATE_LOOKUP,
    STATE_CONNECT,
    STATE_HANDSHAKE,
    STATE_PLAIN_OPENS,
    STATE_OPEN
};

struct stream {
    uv_loop_t *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    uv_timer_t timer;
    unsigned pending; /* handles and lookups that will call back; 0 while closing: free */
    enum stream_state state;
    enum stream_transport transport;

    struct stream_events events;
    void *owner;
    stream_close_cb closed;
    void *closed_owner;

    struct tls_context *tls; /* shared; NULL: plain */
    SSL *ssl;                /* owned */
    BIO *in;                 /* owned by ssl */
    BIO *out;
    struct identity identity;

    struct address_lookup lookup;
    struct address addresses[ADDRESSES_MAX];
    size_t address_count;
    size_t address_next;
    uv_connect_t connect;
    uint64_t open_timeout_ms;

    uv_write_t write;
    char *flight;          /* owned; what uv_write has, NULL: nothing */
    struct buffer waiting; /* behind it */
    size_t write_limit;
    uv_shutdown_t shutdown;

    uint64_t linger_ms;
    size_t linger_queued; /* when lingering began or was last prolonged */

    struct error failure; /* to be told by the timer */
    struct address peer;
    bool has_peer;
    char peer_text[STREAM_TEXT_SIZE];
    uint64_t received_bytes;
    uint64_t sent_bytes;

    bool io_open;  /* uv_close is due on io */
    bool retrying; /* io is being closed to try the next address */
    bool looking_up;
    bool closing;
    bool lingering; /* closes once the other side ended */
    bool failed;    /* on_error was called or is due */
    bool ended;     /* no more writes */
    bool shut_down; /* uv_shutdown is under way or done */
    bool shutdown_done;
    bool raw_eof; /* the socket gave its end */
    bool end_told;
    bool paused;
    bool reading; /* uv_read_start is in force */
    bool pumping;
    bool had_to_wait; /* on_drain is due when the queue is empty */
};

/* A handle or lookup has called back for the last time; frees the stream after the last. */
void stream_part_done(struct stream *stream);
void stream_on_io_closed(uv_handle_t *handle);
void stream_stop_reading(struct stream *stream);
void stream_fail(struct stream *stream, const struct error *failure);
/* Told in the loop's next turn, for failures met inside the owner's own calls. */
void stream_fail_soon(struct stream *stream, enum result code, const char *what,
                      int status);
/* The timer in the loop's next turn. */
void stream_soon(struct stream *stream);
void stream_on_timer(uv_timer_t *timer);
void stream_tell_end(struct stream *stream);

/* Sends what the TLS session has produced. */
enum result stream_flush_tls(struct stream *stream);

/* Takes TLS data through handshake and decryption, as far as it goes. */
void stream_pump(struct stream *stream);
void stream_start_reading(struct stream *stream);
void stream_open_now(struct stream *stream); /* tells the owner */

/* To the next address. */
void stream_start_connect(struct stream *stream);

#endif
