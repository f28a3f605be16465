/* The fields of Policy.auth and Policy.authorize. Nothing acts on them yet, and
 * what refers to kinds that come later is refused. */
#include "model/kind_policy.h"

#include "model/rows.h"
#include "model/units.h"

extern const struct schema policy_auth_schema, policy_authorize_schema;

static const char *const requires[] = {"any", "all", NULL};
static const char *const cert_consumers[] = {"subject", "san-dns", "san-uri", "none", NULL};
static const char *const on_errors[] = {"deny", "allow", NULL};
static const char *const defaults[] = {"deny", "allow", NULL};
static const char *const effects[] = {"allow", "deny", NULL};
static const char *const modes[] = {"enforce", "dry-run", NULL};

static const struct field jwt_fields[] = {
    REF(1, struct auth_jwt, jwks, "jwks", KIND_JWKS, .required = true, .help = "Keys."),
    LIST(STRING, 2, struct auth_jwt, audience, "audience", .help = "One must be named."),
    LIST(STRING, 3, struct auth_jwt, from, "from", .initial = "[header.authorization]",
         .help = "Where the token stands."),
    LIST(STRING, 4, struct auth_jwt, scopes, "scopes", .help = "All needed."),
    MAP(STRING, 5, struct auth_jwt, claims_to_headers, "claimsToHeaders",
        .help = "Sent to the service."),
    BOOL(6, struct auth_jwt, forward, "forward", .initial = "true", .help = "Pass it on."),
    END,
};
SCHEMA(jwt_schema, struct auth_jwt, "jwt", .fields = jwt_fields);

static const struct field api_key_fields[] = {
    HEADER(1, struct auth_api_key, header, "header", .initial = "x-api-key",
           .help = "Where it stands."),
    STRING(2, struct auth_api_key, query, "query", .help = "Or there."),
    BOOL(3, struct auth_api_key, forward, "forward", .initial = "false",
         .help = "Pass it on."),
    END,
};
SCHEMA(api_key_schema, struct auth_api_key, "apiKey", .fields = api_key_fields);

static const struct field basic_fields[] = {
    STRING(1, struct auth_basic, realm, "realm", .help = "Shown to people."),
    END,
};
SCHEMA(basic_schema, struct auth_basic, "basic", .fields = basic_fields);

static const struct field client_cert_fields[] = {
    CHOICE(1, struct auth_client_cert, consumer, "consumer", .values = cert_consumers,
           .initial = "subject", .help = "What of it names the Consumer."),
    END,
};
SCHEMA(client_cert_schema, struct auth_client_cert, "clientCert",
       .fields = client_cert_fields);

static const struct field forward_fields[] = {
    REF(1, struct auth_forward, service, "service", KIND_SERVICE, .required = true,
        .help = "Asked for every call."),
    PATH(2, struct auth_forward, path, "path", .initial = "/", .check = target_is_valid,
         .help = "There."),
    DURATION(3, struct auth_forward, timeout_ms, "timeout", .initial = "500ms", .min = 1,
             .max = 600000, .help = "Of the question."),
    CHOICE(4, struct auth_forward, on_error, "onError", .values = on_errors,
           .initial = "deny", .help = "Without an answer."),
    LIST(HEADER, 5, struct auth_forward, send, "send", .help = "Headers asked with."),
    LIST(HEADER, 6, struct auth_forward, take, "take", .help = "Headers taken over."),
    DURATION(7, struct auth_forward, cache_ms, "cache", .initial = "0s", .min = 0,
             .max = 86400000, .help = "An answer is kept."),
    END,
};
SCHEMA(forward_schema, struct auth_forward, "forward", .fields = forward_fields);

static const struct field auth_fields[] = {
    CHOICE(1, struct auth_policy, require, "require", .values = requires, .initial = "any",
           .help = "Of those given."),
    BOOL(2, struct auth_policy, optional, "optional", .initial = "false",
         .help = "Anonymous may pass, wrong credentials may not."),
    SECTION(3, struct auth_policy, jwt, "jwt", jwt_schema, .help = "Bearer tokens."),
    SECTION(4, struct auth_policy, api_key, "apiKey", api_key_schema, .help = "API keys."),
    SECTION(5, struct auth_policy, basic, "basic", basic_schema, .help = "Basic."),
    SECTION(6, struct auth_policy, client_cert, "clientCert", client_cert_schema,
            .help = "Client certificates."),
    SECTION(7, struct auth_policy, forward, "forward", forward_schema,
            .help = "Asks a Service."),
    RESERVED(8, "oidc"),
    END,
};
PUBLIC_SCHEMA(policy_auth_schema, struct auth_policy, "auth", .fields = auth_fields);

static const struct field rule_fields[] = {
    CHOICE(1, struct authorize_rule, effect, "effect", .values = effects,
           .initial = "allow", .help = "What it does."),
    LIST(METHOD, 2, struct authorize_rule, methods, "methods", .help = "Of these."),
    LIST(PATH, 3, struct authorize_rule, paths, "paths", .help = "Prefixes."),
    REF_LIST(4, struct authorize_rule, consumers, "consumers", KIND_CONSUMER,
             .help = "By name."),
    LIST(STRING, 5, struct authorize_rule, groups, "groups", .help = "Of Consumers."),
    LIST(STRING, 6, struct authorize_rule, scopes, "scopes", .help = "Of tokens."),
    MAP(STRING, 7, struct authorize_rule, claims, "claims", .help = "Of tokens."),
    LIST(CIDR, 8, struct authorize_rule, sources, "sources", .help = "Client addresses."),
    END,
};
SCHEMA(rule_schema, struct authorize_rule, "rule", .fields = rule_fields);

static const struct field authorize_fields[] = {
    CHOICE(1, struct authorize_policy, initial, "default", .values = defaults,
           .initial = "deny", .help = "Where no rule matches."),
    CHOICE(2, struct authorize_policy, mode, "mode", .values = modes, .initial = "enforce",
           .help = "dry-run: only tell."),
    STRUCT_LIST(3, struct authorize_policy, rules, "rules", rule_schema,
                .help = "The first match wins."),
    END,
};
PUBLIC_SCHEMA(policy_authorize_schema, struct authorize_policy, "authorize",
              .fields = authorize_fields);
