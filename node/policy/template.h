/* Templates: texts with ${variables} of the request, compiled once.
 *
 * Variables are those of RESOURCES.md, "per request"; $${ is a literal ${.
 * Parsed when a snapshot is compiled, written per request with values that the
 * caller looks up. Plain data in the snapshot's arena. */
#ifndef GW_NODE_TEMPLATE_H
#define GW_NODE_TEMPLATE_H

#include "base/arena.h"
#include "base/error.h"

/* X(constant, name, takes a suffix, built). Unbuilt ones are empty for now. */
#define TEMPLATE_VARIABLES(X)                              \
    X(TEMPLATE_REGION, "region", false, true)              \
    X(TEMPLATE_ZONE, "zone", false, true)                  \
    X(TEMPLATE_NODE, "node", false, true)                  \
    X(TEMPLATE_REQUEST_ID, "request.id", false, true)      \
    X(TEMPLATE_CLIENT_IP, "client.ip", false, true)        \
    X(TEMPLATE_METHOD, "method", false, true)              \
    X(TEMPLATE_SCHEME, "scheme", false, true)              \
    X(TEMPLATE_HOST, "host", false, true)                  \
    X(TEMPLATE_PATH, "path", false, true)                  \
    X(TEMPLATE_QUERY, "query", false, true)                \
    X(TEMPLATE_ROUTE, "route", false, true)                \
    X(TEMPLATE_SERVICE, "service", false, true)            \
    X(TEMPLATE_CONSUMER, "consumer", false, false)         \
    X(TEMPLATE_CERT_SUBJECT, "cert.subject", false, false) \
    X(TEMPLATE_JWT, "jwt.", true, false)                   \
    X(TEMPLATE_HEADER, "header.", true, true)              \
    X(TEMPLATE_CAPTURE, "capture.", true, true)

enum template_variable {
    TEMPLATE_LITERAL,
#define X(constant, name, suffix, built) constant,
    TEMPLATE_VARIABLES(X)
#undef X
    /* Only made by the gateway itself, for redirects. */
    TEMPLATE_PORT,      /* ":8080" as in the request's Host, or nothing */
    TEMPLATE_QUERY_MARK /* "?query" or nothing */
};

struct template_part {
    uint8_t variable;  /* enum template_variable */
    uint8_t number;    /* of a capture */
    struct slice text; /* literal, or what follows "header." in lower case */
};

struct template
{
    const struct template_part *parts;
    uint32_t count;
    bool uses_captures;
    struct slice unbuilt; /* name of a variable that is empty for now, or empty */
};

/* Copies what it needs into the arena. GW_INVALID for an unknown variable. */
enum result template_compile(struct arena *arena, struct slice text,
                             const struct template **ret_template, struct error *err);
/* From parts made by hand. NULL: out of memory. */
const struct template *template_of_parts(struct arena *arena,
                                         const struct template_part *parts, uint32_t count);

/* The value of a part that is no literal; borrowed until the next call. */
typedef struct slice (*template_value_fn)(void *context, const struct template_part *part);
/* A template of one literal is returned as it is; else one piece of `arena`.
 * data NULL: out of memory. */
struct slice template_write(const struct template *template, template_value_fn value,
                            void *context, struct arena *arena);

#endif
