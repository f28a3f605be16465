/* Listener: an address that takes calls, its limits and its TLS. */
#ifndef GW_MODEL_KIND_LISTENER_H
#define GW_MODEL_KIND_LISTENER_H

#include "model/types.h"

struct schema;

enum listener_mode { LISTENER_HTTP, LISTENER_TCP, LISTENER_TLS_PASSTHROUGH };
enum listener_protocol { LISTENER_H2, LISTENER_HTTP_1_1 };
enum listener_forwarded {
    FORWARDED_X_FORWARDED,
    FORWARDED_RFC7239,
    FORWARDED_BOTH,
    FORWARDED_NONE
};
enum unknown_name { UNKNOWN_NAME_FIRST, UNKNOWN_NAME_REJECT };
enum tls_version { TLS_1_2, TLS_1_3 };
enum tls_ciphers { CIPHERS_MODERN, CIPHERS_COMPATIBLE };
enum client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_OPTIONAL, CLIENT_AUTH_REQUIRED };
enum proxy_protocol { PROXY_NONE, PROXY_V1, PROXY_V2, PROXY_ANY };

struct listener_tls {
    uint64_t set;
    ARRAY(struct slice) certificates;
    int unknown_name;
    int min_version;
    int ciphers;
    int client_auth;
    struct blob client_ca;
    bool tickets;
};

struct listener_limits {
    uint64_t set;
    uint64_t header_bytes;
    int64_t header_count;
    uint64_t target_bytes;
    uint64_t body_bytes; /* 0: unlimited */
    uint64_t header_timeout_ms;
    uint64_t idle_ms;
    uint64_t body_rate; /* least bytes per second */
    uint64_t write_stall_ms;
    int64_t connections; /* 0: unlimited */
    int64_t address_connections;
    struct rate address_handshakes;
};

struct listener_http2 {
    uint64_t set;
    int64_t streams;
    uint64_t stream_window;
    uint64_t connection_window;
    struct rate resets;
    struct rate control_frames;
};

struct listener_spec {
    uint64_t set;
    struct slice bind; /* ":8443", "[::1]:80" */
    int mode;
    ARRAY(int) protocols; /* enum listener_protocol, in order */
    ARRAY(struct slice) regions;
    struct slice service;
    ARRAY(struct slice) policies;
    const struct listener_tls *tls; /* NULL: plain text */
    int proxy_protocol;
    ARRAY(struct cidr) trusted_proxies;
    int forwarded;
    uint64_t drain_ms;
    struct listener_limits limits;
    struct listener_http2 http2;
};

extern const struct schema listener_schema;

#endif
