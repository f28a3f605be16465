/* The fields of Listener. */
#include "model/kind_listener.h"

#include "model/rows.h"

static const char *const modes[] = {"http", "tcp", "tls-passthrough", NULL};
static const char *const protocols[] = {"h2", "http/1.1", NULL};
static const char *const unknown_names[] = {"first", "reject", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const ciphers[] = {"modern", "compatible", NULL};
static const char *const client_auths[] = {"none", "optional", "required", NULL};
static const char *const proxy_protocols[] = {"none", "v1", "v2", "any", NULL};
static const char *const forwardeds[] = {"x-forwarded", "rfc7239", "both", "none", NULL};

static const struct field tls_fields[] = {
    REF_LIST(1, struct listener_tls, certificates, "certificates", KIND_CERTIFICATE,
             .required = true, HONOURED,
             .help = "Chosen by SNI, then key type; the first one answers unknown names."),
    CHOICE(2, struct listener_tls, unknown_name, "unknownName", .values = unknown_names,
           .initial = "first", .help = "What a name without certificate gets."),
    CHOICE(3, struct listener_tls, min_version, "minVersion", .values = tls_versions,
           .initial = "1.2", .help = "Oldest TLS version."),
    CHOICE(
        4, struct listener_tls, ciphers, "ciphers", .values = ciphers, .initial = "modern",
        .help = "modern: AEAD with ECDHE; compatible: nothing weaker than AES-CBC-SHA2."),
    CHOICE(5, struct listener_tls, client_auth, "clientAuth", .values = client_auths,
           .initial = "none", .help = "Client certificates."),
    BLOB(6, struct listener_tls, client_ca, "clientCa",
         .help = "CAs of client certificates."),
    BOOL(7, struct listener_tls, tickets, "tickets", .initial = "true",
         .help = "Session tickets; keys shared by all nodes, rotated every 12h."),
    END,
};
SCHEMA(tls_schema, struct listener_tls, "tls", .fields = tls_fields);

static const struct field limits_fields[] = {
    SIZE(1, struct listener_limits, header_bytes, "headerBytes", .initial = "32KiB",
         .min = 1024, .max = 1 << 20, HONOURED, .help = "All header fields of a request."),
    NUMBER(2, struct listener_limits, header_count, "headerCount", .initial = "100",
           .min = 1, .max = 1000, HONOURED, .help = "Header fields of a request."),
    SIZE(3, struct listener_limits, target_bytes, "targetBytes", .initial = "8KiB",
         .min = 64, .max = 1 << 20, HONOURED, .help = "Request target."),
    SIZE(4, struct listener_limits, body_bytes, "bodyBytes", .initial = "10MiB", HONOURED,
         .help = "Request body; 0B unlimited."),
    DURATION(5, struct listener_limits, header_timeout_ms, "headerTimeout",
             .initial = "10s", .min = 1, .max = 3600000, HONOURED,
             .help = "Until the header is complete."),
    DURATION(6, struct listener_limits, idle_ms, "idle", .initial = "60s", .min = 1,
             .max = 86400000, HONOURED, .help = "Silence between requests."),
    SIZE(7, struct listener_limits, body_rate, "bodyRate", .initial = "1KiB",
         .help = "Least bytes of body per second."),
    DURATION(8, struct listener_limits, write_stall_ms, "writeStall", .initial = "30s",
             .min = 1, .max = 3600000, HONOURED, .help = "A client that takes nothing."),
    NUMBER(9, struct listener_limits, connections, "connections", .initial = "0", .min = 0,
           .max = 10000000, HONOURED, .help = "Connections per node; 0 unlimited."),
    NUMBER(10, struct listener_limits, address_connections, "addressConnections",
           .initial = "1000", .min = 0, .max = 10000000,
           .help = "Connections per client (/64 for IPv6); trusted proxies exempt."),
    RATE(11, struct listener_limits, address_handshakes, "addressHandshakes",
         .initial = "100/1s", .help = "TLS handshakes per client; trusted proxies exempt."),
    END,
};
SCHEMA(limits_schema, struct listener_limits, "limits", .fields = limits_fields);

static const struct field http2_fields[] = {
    NUMBER(1, struct listener_http2, streams, "streams", .initial = "100", .min = 1,
           .max = 100000, .help = "Concurrent streams of a connection."),
    SIZE(2, struct listener_http2, stream_window, "streamWindow", .initial = "64KiB",
         .min = 65535, .max = 0x7fffffff, .help = "Flow control of a stream."),
    SIZE(3, struct listener_http2, connection_window, "connectionWindow", .initial = "1MiB",
         .min = 65535, .max = 0x7fffffff, .help = "Flow control of a connection."),
    RATE(4, struct listener_http2, resets, "resets", .initial = "100/10s",
         .help = "Streams a client may reset."),
    RATE(5, struct listener_http2, control_frames, "controlFrames", .initial = "100/10s",
         .help = "Control frames a client may send."),
    END,
};
SCHEMA(http2_schema, struct listener_http2, "http2", .fields = http2_fields);

static const struct field fields[] = {
    BIND(1, struct listener_spec, bind, "bind", .required = true, HONOURED,
         .help = "Address and port, such as ':8443'; gwd.yaml may override it per node."),
    CHOICE(2, struct listener_spec, mode, "mode", .values = modes, .initial = "http",
           HONOURED, .honoured_only = "http",
           .help = "tls-passthrough: Routes match by hosts (SNI) alone."),
    LIST(CHOICE, 3, struct listener_spec, protocols, "protocols", .values = protocols,
         .initial = "[h2, http/1.1]", HONOURED, .honoured_only = "http/1.1",
         .reserved = "h3", .help = "ALPN order; without tls h2 means prior knowledge."),
    REF_LIST(4, struct listener_spec, regions, "regions", KIND_REGION, HONOURED,
             .help = "Where it listens; default: everywhere."),
    REF(5, struct listener_spec, service, "service", KIND_SERVICE, .help = "tcp only."),
    REF_LIST(6, struct listener_spec, policies, "policies", KIND_POLICY, HONOURED,
             .help = "After the Cluster's, before the Route's."),
    SECTION(7, struct listener_spec, tls, "tls", tls_schema, HONOURED,
            .help = "Absent: plain text."),
    CHOICE(8, struct listener_spec, proxy_protocol, "proxyProtocol",
           .values = proxy_protocols, .initial = "none",
           .help = "Taken from trustedProxies only."),
    LIST(CIDR, 9, struct listener_spec, trusted_proxies, "trustedProxies", HONOURED,
         .help =
             "Whose X-Forwarded-* and Forwarded are believed; all others' are replaced."),
    CHOICE(10, struct listener_spec, forwarded, "forwarded", .values = forwardeds,
           .initial = "x-forwarded", HONOURED, .help = "What is sent upstream."),
    DURATION(11, struct listener_spec, drain_ms, "drain", .initial = "30s", .min = 0,
             .max = 86400000, HONOURED, .help = "Calls in flight may finish."),
    STRUCT(12, struct listener_spec, limits, "limits", limits_schema, HONOURED,
           .help = "Bounds of what clients may send and hold."),
    STRUCT(13, struct listener_spec, http2, "http2", http2_schema,
           .help = "Bounds of HTTP/2 connections."),
    END,
};

static void check(struct decode *decode, const void *object, const struct value *value)
{
    const struct listener_spec *listener = object;
    if (listener->service.size > 0 && listener->mode != LISTENER_TCP)
        decode_error(decode, value, "service", "not_allowed", "only with mode tcp");
    if (listener->mode == LISTENER_TCP && listener->service.size == 0)
        decode_error(decode, value, NULL, "required", "mode tcp needs a service");
}

PUBLIC_SCHEMA(listener_schema, struct listener_spec, "Listener", .fields = fields,
              .check = check, .help = "An address that takes calls.");
