/* gwd.yaml: what this node alone is told, never replicated (RESOURCES.md,
 * "Not replicated"), and who the data directory says the node is.
 *
 * Read once at start, and again on HUP, when a file that does not stand up
 * leaves the old settings in force. The schema machine of model/ reads it, so
 * errors carry line, column and "did you mean". Main thread. */
#ifndef GW_NODE_SETTINGS_H
#define GW_NODE_SETTINGS_H

#include "model/problems.h"
#include "model/schema.h"
#include "model/types.h"
#include "pki/identity.h"

#define SETTINGS_WORKERS_MAX 256

enum settings_disk_error { DISK_ERROR_SERVE, DISK_ERROR_EXIT };

struct settings_node {
    uint64_t set;
    struct slice name, region, zone;
};
struct settings_peer {
    uint64_t set;
    struct slice listen, advertise;
};
struct settings_admin {
    uint64_t set;
    struct slice listen;
    ARRAY(struct slice) names;
    struct slice socket; /* empty: admin.sock in the data directory */
    struct slice socket_mode;
};
struct settings_health {
    uint64_t set;
    struct slice listen;
    ARRAY(struct cidr) metrics_from;
};
struct settings_listen { /* of dns and agentCheck */
    uint64_t set;
    struct slice listen;
};
struct settings_entry {
    uint64_t set;
    ARRAY(struct slice) addresses;
    struct rate capacity;
    int64_t weight;
};
struct settings_store {
    uint64_t set;
    uint64_t map_size, min_free;
};
struct settings_drain {
    uint64_t set;
    uint64_t delay_ms, wait_ms;
};
struct settings_backup {
    uint64_t set;
    uint64_t every_ms;
    struct slice dir;
    int64_t keep;
};
struct settings_log {
    uint64_t set;
    int level, format; /* places in the lists of the schema, see settings_log_level */
};

/* The document, as the schema fills it. */
struct settings_document {
    uint64_t set;
    struct settings_node node;
    struct settings_peer peer;
    struct settings_admin admin;
    struct settings_health health;
    struct settings_listen dns, agent_check;
    struct settings_entry entry;
    struct slice workers;
    ARRAY(struct pair) listeners;
    int fence; /* -1: the Cluster's */
    int on_disk_error;
    struct settings_store store;
    struct settings_drain drain;
    struct settings_backup backup;
    struct settings_log log;
};

struct settings {
    struct arena arena; /* owns all texts of the document */
    struct settings_document document;
    unsigned workers; /* `auto` worked out: the CPUs this process may use */
    unsigned socket_mode;
};

/* Reads `path`. GW_INVALID with the problems filled in; GW_NOT_FOUND: the defaults
 * hold, unless `required`. Warnings are problems too. `identity` NULL: not checked
 * against. The caller owns what comes back: settings_deinit. */
enum result settings_load(const char *path, bool required,
                          const struct identity_file *identity,
                          struct settings *ret_settings, struct problems *problems,
                          struct error *err);
/* From a text, for tests and tools. */
enum result settings_read(struct slice file, struct slice text,
                          const struct identity_file *identity,
                          struct settings *ret_settings, struct problems *problems,
                          struct error *err);
void settings_deinit(struct settings *settings);

/* enum log_level and enum log_format of base/log.h. */
int settings_log_level(const struct settings *settings);
int settings_log_format(const struct settings *settings);

#endif
