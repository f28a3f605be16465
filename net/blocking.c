/* Connections for a program that does one thing at a time.
 *
 * The socket is nonblocking all the same and each wait is a poll(2) with what is
 * left until the deadline. TLS goes through memory BIOs, as in net/stream.c: so all
 * writing is by send with MSG_NOSIGNAL, and a server that hangs up is an error,
 * not a signal. */
#include "net/blocking.h"

#include "base/instant.h"
#include "net/address.h"
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct blocking {
    int fd;
    SSL *ssl; /* owned; NULL: plain */
    BIO *in;  /* owned by ssl */
    BIO *out;
    bool raw_eof;
    struct identity identity;
    char target[128];
};

static enum result wait_for(struct blocking *connection, short events, uint64_t deadline_ms,
                            struct error *err)
{
    for (;;) {
        uint64_t now_ms = instant_monotonic_ms();
        if (now_ms >= deadline_ms)
            return error_set(err, GW_TIMEOUT, "'%s': timed out", connection->target);
        uint64_t left_ms = deadline_ms - now_ms;
        struct pollfd item = {.fd = connection->fd, .events = events};
        int n = poll(&item, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (n > 0)
            return GW_OK;
        if (n < 0 && errno != EINTR)
            return error_set(err, GW_IO, "'%s': poll: %s", connection->target,
                             strerror(errno));
    }
}

static enum result send_all(struct blocking *connection, struct slice data,
                            uint64_t deadline_ms, struct error *err)
{
    while (data.size > 0) {
        ssize_t n = send(connection->fd, data.data, data.size, MSG_NOSIGNAL);
        if (n >= 0) {
            data = slice_from(data, (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return error_set(err, GW_CLOSED, "write to '%s': %s", connection->target,
                             strerror(errno));
        if (wait_for(connection, POLLOUT, deadline_ms, err) != GW_OK)
            return err->code;
    }
    return GW_OK;
}

/* At least one byte, or 0 at the end. */
static enum result receive(struct blocking *connection, void *out, size_t size,
                           uint64_t deadline_ms, size_t *ret_size, struct error *err)
{
    for (;;) {
        ssize_t n = recv(connection->fd, out, size, 0);
        if (n >= 0) {
            *ret_size = (size_t)n;
            return GW_OK;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return error_set(err, GW_CLOSED, "read from '%s': %s", connection->target,
                             strerror(errno));
        if (wait_for(connection, POLLIN, deadline_ms, err) != GW_OK)
            return err->code;
    }
}

static enum result flush_tls(struct blocking *connection, uint64_t deadline_ms,
                             struct error *err)
{
    char *data = NULL;
    long size = BIO_get_mem_data(connection->out, &data);
    if (size <= 0)
        return GW_OK;
    enum result result =
        send_all(connection, slice_of(data, (size_t)size), deadline_ms, err);
    (void)BIO_reset(connection->out);
    return result;
}

/* Brings more bytes to the TLS engine. */
static enum result feed_tls(struct blocking *connection, uint64_t deadline_ms,
                            struct error *err)
{
    char bytes[16384];
    size_t size = 0;

    if (flush_tls(connection, deadline_ms, err) != GW_OK ||
        receive(connection, bytes, sizeof bytes, deadline_ms, &size, err) != GW_OK)
        return err->code;
    if (size == 0)
        connection->raw_eof = true;
    else if (BIO_write(connection->in, bytes, (int)size) != (int)size)
        return error_set(err, GW_NO_MEMORY, "read from '%s'", connection->target);
    return GW_OK;
}

static enum result handshake(struct blocking *connection, struct tls_context *tls,
                             const struct tls_expect *expect, uint64_t deadline_ms,
                             struct error *err)
{
    if (tls_session_new(tls, expect, &connection->ssl, err) != GW_OK)
        return err->code;
    connection->in = BIO_new(BIO_s_mem());
    connection->out = BIO_new(BIO_s_mem());
    if (connection->in == NULL || connection->out == NULL) {
        BIO_free(connection->in);
        BIO_free(connection->out);
        return error_set(err, GW_NO_MEMORY, "begin a TLS session");
    }
    SSL_set_bio(connection->ssl, connection->in, connection->out);
    for (;;) {
        ERR_clear_error();
        int rc = SSL_do_handshake(connection->ssl);
        if (rc == 1)
            break;
        if (SSL_get_error(connection->ssl, rc) != SSL_ERROR_WANT_READ) {
            struct error ignored;
            tls_session_failure(connection->ssl, err);
            flush_tls(connection, deadline_ms, &ignored);
            return error_wrap(err, "TLS with '%s'", connection->target);
        }
        if (feed_tls(connection, deadline_ms, err) != GW_OK)
            return err->code;
        if (connection->raw_eof)
            return error_set(
                err, GW_UNREACHABLE,
                "TLS with '%s': the connection ended during the handshake; next: "
                "see whether that port speaks TLS",
                connection->target);
    }
    if (flush_tls(connection, deadline_ms, err) != GW_OK)
        return err->code;
    if (tls_session_check(connection->ssl, &connection->identity, err) != GW_OK)
        return error_wrap(err, "TLS with '%s'", connection->target);
    return GW_OK;
}

static enum result dial(struct blocking *connection, const struct sockaddr *address,
                        socklen_t size, uint64_t deadline_ms, struct error *err)
{
    int on = 1;
    int error = 0;
    socklen_t error_size = sizeof error;

    connection->fd =
        socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return error_set(err, GW_UNREACHABLE, "connect to '%s': %s", connection->target,
                         strerror(errno));
    if (connect(connection->fd, address, size) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            if (wait_for(connection, POLLOUT, deadline_ms, err) != GW_OK)
                goto fail;
            if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0)
                error = errno;
        }
        if (error != 0) {
            error_set(err, GW_UNREACHABLE, "connect to '%s': %s", connection->target,
                      strerror(error));
            goto fail;
        }
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return GW_OK;

fail:
    close(connection->fd);
    connection->fd = -1;
    return err->code;
}

static enum result dial_name(struct blocking *connection, struct slice target,
                             uint64_t deadline_ms, struct error *err)
{
    struct slice host;
    uint16_t port;
    char name[ADDRESS_HOST_SIZE];
    char service[8];
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    if (address_split(target, &host, &port, err) != GW_OK)
        return err->code;
    memcpy(name, host.data, host.size);
    name[host.size] = '\0';
    snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(host.size == 0 ? NULL : name, service, &hints, &list);
    if (rc != 0)
        return error_set(err, GW_UNREACHABLE, "look up '%s': %s", name, gai_strerror(rc));
    enum result result =
        error_set(err, GW_UNREACHABLE, "look up '%s': it has no address", name);
    for (struct addrinfo *item = list; item != NULL && result == GW_UNREACHABLE;
         item = item->ai_next)
        result = dial(connection, item->ai_addr, item->ai_addrlen, deadline_ms, err);
    freeaddrinfo(list);
    return result;
}

enum result blocking_connect(struct slice target, struct tls_context *tls,
                             const struct tls_expect *expect, uint64_t timeout_ms,
                             struct blocking **ret_connection, struct error *err)
{
    uint64_t deadline_ms = instant_monotonic_ms() + timeout_ms;
    struct blocking *connection = calloc(1, sizeof *connection);
    enum result result;

    if (connection == NULL)
        return error_set(err, GW_NO_MEMORY, "connect");
    connection->fd = -1;
    snprintf(connection->target, sizeof connection->target, "%.*s",
             (int)(target.size < 120 ? target.size : 120), target.data);
    if (slice_starts_with(target, SLICE("unix:"))) {
        char *path = slice_to_string(slice_from(target, 5));
        result = path == NULL ? error_set(err, GW_NO_MEMORY, "connect")
                              : listener_connect_unix(path, &connection->fd, err);
        free(path);
    } else {
        result = dial_name(connection, target, deadline_ms, err);
    }
    if (result == GW_OK && tls != NULL)
        result = handshake(connection, tls, expect, deadline_ms, err);
    if (result != GW_OK) {
        blocking_close(connection);
        return result;
    }
    *err = ERROR_NONE; /* of an address that did not answer, before the one that did */
    *ret_connection = connection;
    return GW_OK;
}

enum result blocking_write(struct blocking *connection, struct slice data,
                           uint64_t deadline_ms, struct error *err)
{
    if (connection->ssl == NULL)
        return send_all(connection, data, deadline_ms, err);
    while (data.size > 0) {
        struct slice part = slice_sub(data, 0, 65536);
        size_t done = 0;
        ERR_clear_error();
        if (SSL_write_ex(connection->ssl, part.data, part.size, &done) != 1) {
            tls_session_failure(connection->ssl, err);
            return error_wrap(err, "write to '%s'", connection->target);
        }
        if (flush_tls(connection, deadline_ms, err) != GW_OK)
            return err->code;
        data = slice_from(data, done);
    }
    return GW_OK;
}

enum result blocking_read(struct blocking *connection, void *out, size_t size,
                          uint64_t deadline_ms, size_t *ret_size, struct error *err)
{
    if (connection->ssl == NULL)
        return receive(connection, out, size, deadline_ms, ret_size, err);
    for (;;) {
        size_t done = 0;
        ERR_clear_error();
        int rc = SSL_read_ex(connection->ssl, out, size, &done);
        if (rc == 1) {
            *ret_size = done;
            return GW_OK;
        }
        int reason = SSL_get_error(connection->ssl, rc);
        if (reason == SSL_ERROR_ZERO_RETURN ||
            (reason == SSL_ERROR_WANT_READ && connection->raw_eof)) {
            *ret_size = 0;
            return GW_OK;
        }
        if (reason != SSL_ERROR_WANT_READ) {
            tls_session_failure(connection->ssl, err);
            return error_wrap(err, "read from '%s'", connection->target);
        }
        if (feed_tls(connection, deadline_ms, err) != GW_OK)
            return err->code;
    }
}

const struct identity *blocking_identity(const struct blocking *connection)
{
    return &connection->identity;
}

struct slice blocking_protocol(const struct blocking *connection)
{
    return connection->ssl == NULL ? (struct slice){0} : tls_session_alpn(connection->ssl);
}

X509 *blocking_peer_ca(const struct blocking *connection)
{
    STACK_OF(X509) *sent =
        connection->ssl == NULL ? NULL : SSL_get_peer_cert_chain(connection->ssl);
    int count = sent == NULL ? 0 : sk_X509_num(sent);
    return count < 2 ? NULL : certificate_ref(sk_X509_value(sent, count - 1));
}

void blocking_close(struct blocking *connection)
{
    struct error ignored;

    if (connection == NULL)
        return;
    if (connection->ssl != NULL && connection->out != NULL &&
        SSL_is_init_finished(connection->ssl)) {
        ERR_clear_error();
        SSL_shutdown(connection->ssl);
        flush_tls(connection, 0, &ignored); /* if it goes at once */
    }
    tls_session_free(connection->ssl);
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection);
}
