/* A rude visitor at a peer port.
 *
 *   poke HOST:PORT HOW [DATA_DIR [LIMIT_MS]]
 *     random         64 KiB of chance instead of TLS
 *     no-certificate TLS 1.3 as a peer, without a certificate
 *     foreign        the same with a certificate that nobody signed
 *     old            TLS 1.2
 *     no-alpn        TLS 1.3 that names no protocol
 *     oversized      with the certificate in DATA_DIR: the head of a 4 GiB frame
 *     unknown        … a frame of a type that there is not
 *     junk           … a frame of the hello's type, full of chance
 *     half           … half a frame, then silence
 *     join-junk      as somebody who joins: a frame full of chance
 *     join-half      … half a frame, then silence
 *
 * Prints how many milliseconds after its last byte the other side closed. Exits 0
 * when it closed, 1 when it had not by the limit (8 s), 2 when nobody listens. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fill_random(unsigned char *out, size_t size)
{
    for (size_t i = 0; i < size; i += 256)
        if (getrandom(out + i, size - i < 256 ? size - i : 256, 0) < 0)
            abort();
}

/* A certificate that only its own key has signed. */
static bool use_foreign(SSL_CTX *tls)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"eu-1", -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    bool is_set = SSL_CTX_use_certificate(tls, certificate) == 1 &&
                  SSL_CTX_use_PrivateKey(tls, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_set;
}

static bool use_own(SSL_CTX *tls, const char *dir)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/node.pem", dir);
    if (SSL_CTX_use_certificate_chain_file(tls, path) != 1)
        return false;
    snprintf(path, sizeof path, "%s/node.key", dir);
    return SSL_CTX_use_PrivateKey_file(tls, path, SSL_FILETYPE_PEM) == 1;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Until the other side ends it: by a close, a reset or an alert. */
static int wait_for_close(int fd, uint64_t limit_ms)
{
    uint64_t started_ms = now_ms();
    static char sink[65536];

    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t passed_ms = now_ms() - started_ms;
        if (passed_ms >= limit_ms || poll(&wait, 1, (int)(limit_ms - passed_ms)) == 0) {
            printf("still open after %llu ms\n", (unsigned long long)limit_ms);
            return 1;
        }
        if (recv(fd, sink, sizeof sink, 0) <= 0) {
            printf("%llu\n", (unsigned long long)(now_ms() - started_ms));
            return 0;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *colon = argc > 2 ? strrchr(argv[1], ':') : NULL;
    static unsigned char noise[65536];
    unsigned char out[600];
    size_t size = 0;

    if (colon == NULL) {
        fprintf(stderr, "usage: poke HOST:PORT HOW [DATA_DIR [LIMIT_MS]]\n");
        return 2;
    }
    const char *how = argv[2], *dir = argc > 3 ? argv[3] : ".";
    uint64_t limit_ms = argc > 4 ? strtoull(argv[4], NULL, 10) : 8000;
    signal(SIGPIPE, SIG_IGN);
    *colon = '\0';
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        return 2;
    }
    fill_random(noise, sizeof noise);
    if (is(how, "random")) {
        /* Not by chance the head of a TLS record, which may claim to be long. */
        noise[0] = 0xff;
        send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        return wait_for_close(fd, limit_ms);
    }

    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    bool joins = strncmp(how, "join", 4) == 0;
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    if (is(how, "old"))
        SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
    if (!is(how, "no-alpn"))
        SSL_CTX_set_alpn_protos(
            tls, (const unsigned char *)(joins ? "\7gw-join" : "\7gw-peer"), 8);
    bool has_own = is(how, "oversized") || is(how, "unknown") || is(how, "junk") ||
                   is(how, "half") || is(how, "no-alpn");
    if ((is(how, "foreign") && !use_foreign(tls)) || (has_own && !use_own(tls, dir))) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    SSL *session = SSL_new(tls);
    SSL_set_fd(session, fd);
    /* The server may refuse only after our side of the handshake is through. */
    if (SSL_connect(session) == 1 && (has_own || joins)) {
        uint32_t body = is(how, "oversized") ? 0xfffffff0u : 512;
        out[0] = (unsigned char)(body >> 24), out[1] = (unsigned char)(body >> 16);
        out[2] = (unsigned char)(body >> 8), out[3] = (unsigned char)body;
        out[4] = joins ? 7 : is(how, "unknown") ? 29 : 1;
        memcpy(out + 5, noise, 512);
        size = is(how, "oversized") ? 5 : strstr(how, "half") != NULL ? 200 : 517;
        SSL_write(session, out, (int)size);
    }
    int status = wait_for_close(fd, limit_ms);
    SSL_free(session);
    SSL_CTX_free(tls);
    return status;
}
