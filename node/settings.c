/* gwd.yaml, by the schema machine that reads resources: one table of rows gives
 * decoding, defaults, bounds, and every error with its place.
 *
 * The price is the table's care for numbers that are never packed; in return
 * nothing here parses. */
#include "node/settings.h"

#include "base/log.h"
#include "model/kind_cluster.h"
#include "model/rows.h"
#include "model/units.h"
#include "pki/keyfile.h"

#include <sched.h>

#define SETTINGS_BYTES_MAX (1u << 20)

static bool is_workers(struct slice text)
{
    uint64_t n;
    return slice_equal(text, SLICE("auto")) ||
           (slice_parse_u64(text, &n) && n >= 1 && n <= SETTINGS_WORKERS_MAX);
}

static bool is_mode(struct slice text)
{
    if (text.size != 4 || text.data[0] != '0')
        return false;
    for (size_t i = 1; i < 4; i++) {
        if (text.data[i] < '0' || text.data[i] > '7')
            return false;
    }
    return true;
}

static const struct field node_fields[] = {
    STRING(1, struct settings_node, name, "name", .honoured = true,
           .help = "As `init` or `join` wrote it; another name stops the start."),
    STRING(2, struct settings_node, region, "region", .honoured = true,
           .check = name_is_valid, .expected = "a name of a-z, 0-9 and '-'",
           .help = "Where the node stands."),
    STRING(3, struct settings_node, zone, "zone", .honoured = true, .check = name_is_valid,
           .expected = "a name of a-z, 0-9 and '-'", .help = "The part of the region."),
    END,
};
SCHEMA(node_schema, struct settings_node, "node", .fields = node_fields);

static const struct field peer_fields[] = {
    BIND(1, struct settings_peer, listen, "listen", .initial = ":7000", .honoured = true,
         .help = "Where other nodes reach this one."),
    ADDRESS(2, struct settings_peer, advertise, "advertise", .honoured = true,
            .help = "What other nodes are told to dial."),
    END,
};
SCHEMA(peer_schema, struct settings_peer, "peer", .fields = peer_fields);

static const struct field admin_fields[] = {
    BIND(1, struct settings_admin, listen, "listen", .initial = "127.0.0.1:7001",
         .honoured = true, .help = "The admin API over TLS."),
    LIST(HOST, 2, struct settings_admin, names, "names",
         .help = "More names for the node's certificate."),
    STRING(3, struct settings_admin, socket, "socket", .honoured = true,
           .help = "The UNIX socket; by default admin.sock in the data directory."),
    STRING(4, struct settings_admin, socket_mode, "socketMode", .initial = "0660",
           .honoured = true, .check = is_mode, .expected = "four octal digits, as \"0660\"",
           .help = "Who may open the socket is admin."),
    END,
};
SCHEMA(admin_schema, struct settings_admin, "admin", .fields = admin_fields);

static const struct field health_fields[] = {
    BIND(1, struct settings_health, listen, "listen", .initial = "127.0.0.1:7002",
         .honoured = true, .help = "Plain HTTP: /livez, /readyz and /metrics."),
    {.name = "metricsFrom",
     .number = 2,
     .type = FIELD_CIDR,
     .shape = FIELD_LIST,
     .offset = offsetof(struct settings_health, metrics_from),
     .item_size = sizeof(struct cidr),
     .initial = "[127.0.0.0/8, \"::1\"]",
     .honoured = true,
     .help = "Who may read /metrics."},
    END,
};
SCHEMA(health_schema, struct settings_health, "health", .fields = health_fields);

static const struct field listen_fields[] = {
    BIND(1, struct settings_listen, listen, "listen", .help = "Address and port."),
    END,
};
SCHEMA(listen_schema, struct settings_listen, "listen", .fields = listen_fields);

static const struct field entry_fields[] = {
    LIST(HOST, 1, struct settings_entry, addresses, "addresses",
         .help = "What DNS answers for this node."),
    RATE(2, struct settings_entry, capacity, "capacity", .help = "What the node can take."),
    NUMBER(3, struct settings_entry, weight, "weight", .initial = "100", .min = 0,
           .max = 1000, .help = "Its share among the region's nodes."),
    END,
};
SCHEMA(entry_schema, struct settings_entry, "entry", .fields = entry_fields);

static const struct field store_fields[] = {
    SIZE(1, struct settings_store, map_size, "mapSize", .initial = "8GiB", .min = 16 << 20,
         .max = INT64_MAX, .honoured = true, .help = "Address space of the database."),
    SIZE(2, struct settings_store, min_free, "minFree", .initial = "512MiB",
         .honoured = true,
         .help = "With less room on its disk the node does not lead; 0: it may."),
    END,
};
SCHEMA(store_schema, struct settings_store, "store", .fields = store_fields);

static const struct field drain_fields[] = {
    DURATION(1, struct settings_drain, delay_ms, "delay", .initial = "5s", .honoured = true,
             .help = "How long to go on accepting after TERM."),
    DURATION(2, struct settings_drain, wait_ms, "wait", .initial = "30s", .honoured = true,
             .help = "How long to wait for requests in flight."),
    END,
};
SCHEMA(drain_schema, struct settings_drain, "drain", .fields = drain_fields);

static const struct field backup_fields[] = {
    DURATION(1, struct settings_backup, every_ms, "every", .min = 1000,
             .max = 366ll * 24 * 3600 * 1000, .honoured = true,
             .help = "How often; a second at least."),
    STRING(2, struct settings_backup, dir, "dir", .honoured = true,
           .help = "Where to; it is not made when it is missing."),
    NUMBER(3, struct settings_backup, keep, "keep", .initial = "7", .min = 1, .max = 10000,
           .honoured = true, .help = "How many of this node's to keep."),
    END,
};
SCHEMA(backup_schema, struct settings_backup, "backup", .fields = backup_fields);

static const char *const levels[] = {"info", "debug", "warn", "error", NULL};
static const char *const formats[] = {"json", "text", NULL};
static const struct field log_fields[] = {
    CHOICE(1, struct settings_log, level, "level", .initial = "info", .values = levels,
           .honoured = true, .help = "The least that is written."),
    CHOICE(2, struct settings_log, format, "format", .initial = "json", .values = formats,
           .honoured = true, .help = "JSON lines, or pairs."),
    END,
};
SCHEMA(log_schema, struct settings_log, "log", .fields = log_fields);

static const char *const fences[] = {"none", "minority", NULL};
static const char *const disk_errors[] = {"serve", "exit", NULL};
static const struct field document_fields[] = {
    STRUCT(1, struct settings_document, node, "node", node_schema, .honoured = true,
           .help = "Who this node is."),
    STRUCT(2, struct settings_document, peer, "peer", peer_schema, .honoured = true,
           .help = "The port between nodes."),
    STRUCT(3, struct settings_document, admin, "admin", admin_schema, .honoured = true,
           .help = "The admin API."),
    STRUCT(4, struct settings_document, health, "health", health_schema, .honoured = true,
           .help = "Health and metrics."),
    STRUCT(5, struct settings_document, dns, "dns", listen_schema,
           .help = "The DNS server of entry steering."),
    STRUCT(6, struct settings_document, agent_check, "agentCheck", listen_schema,
           .help = "HAProxy's agent-check."),
    STRUCT(7, struct settings_document, entry, "entry", entry_schema,
           .help = "What DNS answers for this node."),
    STRING(8, struct settings_document, workers, "workers", .initial = "auto",
           .honoured = true, .check = is_workers, .expected = "auto, or 1 to 256",
           .help = "Threads that serve; auto: one for each CPU."),
    MAP(STRING, 9, struct settings_document, listeners, "listeners", .honoured = true,
        .help = "Listener: the address to bind here instead."),
    CHOICE(10, struct settings_document, fence, "fence", .values = fences, .honoured = true,
           .help = "Overrides the Cluster's."),
    CHOICE(11, struct settings_document, on_disk_error, "onDiskError", .initial = "serve",
           .values = disk_errors, .honoured = true,
           .help = "After an error of the log: go on serving, or exit."),
    STRUCT(12, struct settings_document, store, "store", store_schema, .honoured = true,
           .help = "The database."),
    STRUCT(13, struct settings_document, drain, "drain", drain_schema, .honoured = true,
           .help = "What TERM does."),
    STRUCT(14, struct settings_document, backup, "backup", backup_schema, .honoured = true,
           .help = "Regular copies by this node."),
    STRUCT(15, struct settings_document, log, "log", log_schema, .honoured = true,
           .help = "The log on standard error."),
    END,
};
SCHEMA(settings_schema, struct settings_document, "gwd.yaml", .fields = document_fields);

static unsigned usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > SETTINGS_WORKERS_MAX ? SETTINGS_WORKERS_MAX : (unsigned)n;
}

/* What the table cannot say: fields that must fit each other or the identity. */
static void check_document(struct decode *decode, const struct value *root,
                           const struct settings_document *document,
                           const struct identity_file *identity)
{
    const struct value *node = value_get(root, "node");
    const struct value *listeners = value_get(root, "listeners");

    if (identity != NULL && document->node.name.size != 0 &&
        !slice_equal(document->node.name, slice_from_string(identity->name)))
        decode_error(decode, node, "name", "contradiction",
                     "node.name is '%.*s', but this data directory is node '%s': correct "
                     "gwd.yaml, or start with the other node's directory",
                     SLICE_ARG(document->node.name), identity->name);

    const struct value *backup = value_get(root, "backup");
    if (backup != NULL &&
        (value_get(backup, "every") == NULL || value_get(backup, "dir") == NULL))
        decode_error(decode, backup, NULL, "missing",
                     "backup needs both every and dir, as {every: 6h, dir: "
                     "/var/backups/quorumgate}");

    for (const struct value *item = listeners == NULL ? NULL : listeners->first;
         item != NULL; item = item->next) {
        struct slice host;
        uint16_t port;
        if (!host_port_parse(item->text, true, &host, &port))
            decode_error(decode, item, NULL, "bad_value",
                         "listeners.%.*s is '%.*s': an address and a port are needed, as "
                         "\"127.0.0.1:8080\" or \":8080\"",
                         SLICE_ARG(item->key), SLICE_ARG(item->text));
    }
}

static void place_file(struct problem *place, struct slice file)
{
    memset(place, 0, sizeof *place);
    place->file = file;
    place->line = 1;
    place->column = 1;
}

enum result settings_read(struct slice file, struct slice text,
                          const struct identity_file *identity,
                          struct settings *ret_settings, struct problems *problems,
                          struct error *err)
{
    struct settings settings = {.socket_mode = 0660};
    arena_init(&settings.arena, 0, 0);

    struct value *documents = yaml_read(&settings.arena, file, text, problems);
    if (documents == NULL)
        goto invalid;
    if (documents->count > 1) {
        struct problem place;
        place_file(&place, file);
        place.line = documents->first->next->line;
        problems_add(problems, &place, "many_documents",
                     "gwd.yaml is one document; a second one begins here");
        goto invalid;
    }

    struct value empty = {.type = VALUE_MAP};
    const struct value *root = documents->first != NULL ? documents->first : &empty;
    struct decode decode = {.arena = &settings.arena,
                            .problems = problems,
                            .file = file,
                            .object = SLICE("gwd.yaml")};
    if (!schema_decode(&decode, &settings_schema, root, &settings.document))
        goto invalid;
    check_document(&decode, root, &settings.document, identity);
    if (problems_failed(problems))
        goto invalid;

    uint64_t workers;
    settings.workers = slice_parse_u64(settings.document.workers, &workers)
                           ? (unsigned)workers
                           : usable_cpus();
    settings.socket_mode = 0;
    for (size_t i = 0; i < settings.document.admin.socket_mode.size; i++)
        settings.socket_mode =
            settings.socket_mode * 8 +
            (unsigned)(settings.document.admin.socket_mode.data[i] - '0');
    *ret_settings = settings;
    return GW_OK;

invalid:
    arena_deinit(&settings.arena);
    return error_set(err, GW_INVALID, "read '%.*s': %.*s", SLICE_ARG(file),
                     SLICE_ARG(problems_first(problems)));
}

enum result settings_load(const char *path, bool required,
                          const struct identity_file *identity,
                          struct settings *ret_settings, struct problems *problems,
                          struct error *err)
{
    struct buffer text;
    buffer_init(&text, 0);

    enum result result = keyfile_read(path, SETTINGS_BYTES_MAX, &text, err);
    if (result == GW_NOT_FOUND && !required) {
        *err = ERROR_NONE;
        result = GW_OK;
    }
    if (result == GW_OK)
        result = settings_read(slice_from_string(path), buffer_slice(&text), identity,
                               ret_settings, problems, err);
    buffer_deinit(&text);
    return result;
}

void settings_deinit(struct settings *settings)
{
    if (settings == NULL)
        return;
    arena_deinit(&settings->arena);
    memset(&settings->document, 0, sizeof settings->document);
}

int settings_log_level(const struct settings *settings)
{
    static const int by_choice[] = {LOG_INFO, LOG_DEBUG, LOG_WARN, LOG_ERROR};
    return by_choice[settings->document.log.level & 3];
}

int settings_log_format(const struct settings *settings)
{
    return settings->document.log.format == 0 ? LOG_JSON : LOG_TEXT;
}
