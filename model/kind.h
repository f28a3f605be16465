/* The kinds of resource, by name: the only list of them.
 *
 * Some kinds are known by name only until a later version builds them; using
 * one is an error that says so. Read-only, any thread. */
#ifndef GW_MODEL_KIND_H
#define GW_MODEL_KIND_H

#include "base/slice.h"

/* X(constant, Kind, key word, plural, supported) */
#define GW_KINDS(X)                                                          \
    X(KIND_CLUSTER, "Cluster", "cluster", "clusters", true)                  \
    X(KIND_REGION, "Region", "region", "regions", true)                      \
    X(KIND_LISTENER, "Listener", "listener", "listeners", true)              \
    X(KIND_CERTIFICATE, "Certificate", "certificate", "certificates", false) \
    X(KIND_SERVICE, "Service", "service", "services", true)                  \
    X(KIND_ROUTE, "Route", "route", "routes", true)                          \
    X(KIND_POLICY, "Policy", "policy", "policies", true)                     \
    X(KIND_CONSUMER, "Consumer", "consumer", "consumers", false)             \
    X(KIND_JWKS, "Jwks", "jwks", "jwkss", false)                             \
    X(KIND_WEBHOOK, "Webhook", "webhook", "webhooks", false)                 \
    X(KIND_ADMIN, "Admin", "admin", "admins", false)

enum kind {
#define X(constant, name, word, plural, supported) constant,
    GW_KINDS(X)
#undef X
        KIND_COUNT,
    KIND_NONE = KIND_COUNT
};

struct schema;

const char *kind_name(enum kind kind);   /* "Route" */
const char *kind_word(enum kind kind);   /* "route", as in record keys and URLs */
const char *kind_plural(enum kind kind); /* "routes" */
bool kind_is_supported(enum kind kind);
/* The table of the kind's spec; NULL while the kind is not supported. */
const struct schema *kind_schema(enum kind kind);
/* Any case, singular or plural; KIND_NONE if there is none. */
enum kind kind_by_name(struct slice name);
/* The nearest kind's name for "did you mean", or NULL. */
const char *kind_suggest(struct slice name);

#endif
