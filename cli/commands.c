/* The table itself, and nothing else. A command that is named in the contract
 * but not built yet is not here: see `unbuilt` in command.c. */
#include "cli/command.h"

const struct option global_options[] = {
    {"--context", 0, "NAME", "Use this context of the configuration file."},
    {"--endpoint", 'e', "ENDPOINTS",
     "unix:PATH or https://HOST:PORT, several with commas."},
    {"--output", 'o', "FORMAT", "table, wide, json, yaml or name."},
    {"--timeout", 0, "DURATION", "Give up after this long; 10s."},
    {"--stale", 0, NULL, "Answer from this node alone, even if it lags."},
    {"--quiet", 'q', NULL, "Only what was asked for."},
    {"--verbose", 'v', NULL, "Say what is done."},
    {"--no-color", 0, NULL, "No colours."},
    {"--yes", 0, NULL, "Do not ask before destructive commands."},
    {"--help", 'h', NULL, "Explain the command."},
    {0},
};

#define FILES                                                                \
    {                                                                        \
        "--file", 'f', "PATH",                                               \
            "A file, a directory, or - for standard input. May be repeated." \
    }
#define SELECTOR                                                         \
    {                                                                    \
        "--selector", 'l', "SELECTOR", "Labels, as team=apps,tier!=web." \
    }
#define VARIABLES                                                                        \
    {"--env", 0, "NAMES", "Environment variables to fill in beside GW_*, with commas."}, \
    {                                                                                    \
        "--no-env", 0, NULL, "Fill in no environment variables."                         \
    }
#define NODE_OPTIONS                                                                  \
    {"--data-dir", 0, "DIR", "Where the node keeps everything."},                     \
        {"--name", 0, "NAME", "The node's name."},                                    \
        {"--region", 0, "REGION", "Its region."}, {"--zone", 0, "ZONE", "Its zone."}, \
        {"--peer", 0, "HOST:PORT", "Where other nodes reach it."},                    \
        {"--peer-listen", 0, "HOST:PORT", "Where it listens for them; as --peer."},   \
        {"--admin", 0, "HOST:PORT", "The admin API; 127.0.0.1:7001."},                \
        {"--health", 0, "HOST:PORT", "Health and metrics; 127.0.0.1:7002."},          \
        {"--listener", 0, "NAME=BIND",                                                \
         "Bind a Listener elsewhere on this node. May be repeated."},                 \
    {                                                                                 \
        "--if-needed", 0, NULL, "Succeed when the directory already is that node."    \
    }

#define CHANGES                                                               \
    {"--dry-run", 0, NULL, "Check and say what would change."},               \
        {"--if-revision", 0, "R",                                             \
         "Only if nothing touched here changed after this revision."},        \
        {"--wait", 0, "WHOM",                                                 \
         "quorum: committed; region, all: every live node there serves it."}, \
        {"--request-id", 0, "ID",                                             \
         "The same id is carried out once, however often it is sent."},       \
    {                                                                         \
        "--message", 'm', "TEXT", "Why, for the history."                     \
    }

static const struct option apply_options[] = {
    FILES,
    SELECTOR,
    {"--prune", 0, NULL, "Delete what the selector matches and the files do not hold."},
    CHANGES,
    VARIABLES,
    {0},
};
static const struct option validate_options[] = {
    FILES, {"--server", 0, NULL, "Check against the cluster too."}, VARIABLES, {0}};
static const struct option diff_options[] = {
    FILES,
    SELECTOR,
    {"--prune", 0, NULL, "Show what apply --prune would delete."},
    VARIABLES,
    {0}};
static const struct option get_options[] = {
    SELECTOR,
    {"--effective", 0, NULL, "With every default, and for a Route the policy in force."},
    {"--revision", 0, "R", "As it was at this revision."},
    {0}};
static const struct option patch_options[] = {
    {"--patch", 'p', "JSON", "A merge patch, as {\"spec\": {\"timeout\": \"2s\"}}."},
    CHANGES,
    {0}};
static const struct option history_options[] = {
    {"--limit", 0, "N", "At most so many revisions; 100."}, {0}};
static const struct option watch_options[] = {
    {"--since", 0, "R", "What changed after this revision first; else from now on."}, {0}};
static const struct option rollback_options[] = {
    {"--to", 0, "R", "The state as of this revision; else that before the last change."},
    CHANGES,
    {0}};
static const struct option change_options[] = {CHANGES, {0}};
static const struct option export_options[] = {
    SELECTOR, {"--dir", 0, "DIR", "One file per object instead of standard output."}, {0}};
static const struct option explain_options[] = {
    {"--header", 'H', "NAME: VALUE", "A header of the request. May be repeated."},
    {"--from", 0, "IP", "The client's address."},
    {"--region", 0, "REGION", "As seen by a node of this region."},
    {0}};
static const struct option ready_options[] = {{"--wait", 0, NULL, "Wait until it is."},
                                              {0}};
static const struct option init_options[] = {
    NODE_OPTIONS,
    {"--cluster", 0, "NAME", "The cluster's name."},
    {"--ca-cert", 0, "FILE", "An authority of your own instead of a new one."},
    {"--ca-key", 0, "FILE", "Its key."},
    {"--token-out", 0, "FILE", "Write a join token for 8 uses."},
    {0}};
static const struct option join_options[] = {
    NODE_OPTIONS,
    {"--token-file", 0, "FILE", "Read the token from a file."},
    {"--wait", 0, "DURATION", "Keep trying for this long."},
    {"--replace", 0, NULL,
     "Take the place of the node of this name; its old data is put aside."},
    {0}};
static const struct option recover_options[] = {
    {"--data-dir", 0, "DIR", "The directory of a node that does not run."},
    {"--inspect", 0, NULL, "Only say how far its log goes."},
    {0}};
static const struct option keys_options[] = {
    {"--passphrase-file", 0, "FILE",
     "Its first line; - is standard input. Else asked for."},
    {"--data-dir", 0, "DIR", "The directory of a node; for export instead of a cluster."},
    {0}};
static const struct option restore_options[] = {
    NODE_OPTIONS,
    {"--keys", 0, "FILE", "The old cluster's key, as keys export wrote it: it is kept."},
    {"--passphrase-file", 0, "FILE", "For --keys. Its first line; - is standard input."},
    {"--cluster", 0, "NAME", "The cluster's name; as in the snapshot."},
    {"--token-out", 0, "FILE", "Write a join token for 8 uses."},
    {0}};
static const struct option token_options[] = {
    {"--role", 0, "ROLE", "auto, voter, standby or witness."},
    {"--ttl", 0, "DURATION", "How long it is good for; 1h."},
    {"--uses", 0, "N", "How many nodes may join with it; 1."},
    {0}};
static const struct option wait_options[] = {
    {"--healthy", 0, NULL, "Until there is a leader and every member is reached."},
    {"--voters", 0, "N", "Until there are so many voters."},
    {"--revision", 0, "R", "Until every node serves this revision."},
    {0}};
static const struct option certs_options[] = {
    {"--ca", 0, NULL, "By a new authority; the old one is believed no more."}, {0}};
static const struct option remove_options[] = {
    {"--force", 0, NULL, "Though too few voters for a quorum may be left."}, {0}};
static const struct option context_import_options[] = {
    {"--name", 0, "NAME", "What to call it; the cluster's name."}, {0}};

const struct command commands[] = {
    {"cluster init", "", 0, 0, "Make the first node of a new cluster.", init_options,
     run_cluster_init},
    {"cluster join", "[TOKEN|-]", 0, 1, "Make a node that joins a cluster.", join_options,
     run_cluster_join},
    {"cluster token create", "", 0, 0, "Make a token that lets nodes join.", token_options,
     run_token_create},
    {"cluster token list", "", 0, 0, "List join tokens, without their secrets.", NULL,
     run_token_list},
    {"cluster token revoke", "ID", 1, 1, "Make a join token useless.", NULL,
     run_token_revoke},
    {"cluster recover", "", 0, 0,
     "Make a survivor the only voter, when a quorum is gone for good.", recover_options,
     run_cluster_recover},
    {"cluster upgrade", "", 0, 0, "Show which formats the nodes read, and what is stored.",
     NULL, run_upgrade_status},
    {"cluster upgrade status", "", 0, 0,
     "Show which formats the nodes read, and what is stored.", NULL, run_upgrade_status},
    {"cluster upgrade finalize", "", 0, 0,
     "Raise the stored format, once every node runs the new version.", NULL,
     run_upgrade_finalize},
    {"cluster certs", "", 0, 0, "List the cluster's own certificates.", NULL,
     run_certs_list},
    {"cluster certs list", "", 0, 0, "List the cluster's own certificates.", NULL,
     run_certs_list},
    {"cluster certs rotate", "", 0, 0, "Give every node a new key and certificate.",
     certs_options, run_certs_rotate},
    {"cluster keys export", "FILE", 1, 1, "Save the cluster key under a passphrase.",
     keys_options, run_keys_export},
    {"cluster keys rotate", "", 0, 0, "Put a new cluster key in force on every node.", NULL,
     run_keys_rotate},
    {"cluster keys import", "FILE", 1, 1, "Put a saved cluster key into a data directory.",
     keys_options, run_keys_import},
    {"cluster status", "", 0, 0, "Quorum, leader and members at a glance.", NULL,
     run_cluster_status},
    {"cluster members", "", 0, 0, "List the nodes.", NULL, run_cluster_members},
    {"cluster leader", "", 0, 0, "Say who leads.", NULL, run_cluster_leader},
    {"cluster role", "NODE auto|voter|standby|witness", 2, 2, "Say what a node shall be.",
     NULL, run_cluster_role},
    {"cluster promote", "NODE", 1, 1, "Give a node a vote: role voter.", NULL,
     run_cluster_promote},
    {"cluster demote", "NODE", 1, 1, "Take a node's vote: role standby.", NULL,
     run_cluster_demote},
    {"cluster transfer", "[NODE]", 0, 1, "Hand leadership to a node, or to the best.", NULL,
     run_cluster_transfer},
    {"cluster remove", "NODE", 1, 1, "Take a node out of the cluster for good.",
     remove_options, run_cluster_remove},
    {"cluster wait", "", 0, 0, "Wait until the cluster is in a state.", wait_options,
     run_cluster_wait},
    {"validate", "", 0, 0, "Check files without applying them.", validate_options,
     run_validate},
    {"diff", "", 0, 0, "Show what apply would change.", diff_options, run_diff},
    {"apply", "", 0, 0, "Apply files as one transaction.", apply_options, run_apply},
    {"get", "KIND|all [NAME]", 1, 2, "Print objects.", get_options, run_get},
    {"describe", "KIND NAME", 2, 2, "Print one object for people.", NULL, run_describe},
    {"delete", "KIND NAME…", 2, -1, "Delete objects.", change_options, run_delete},
    {"set", "KIND NAME FIELD=VALUE…", 3, -1, "Change fields of an object.", change_options,
     run_set},
    {"patch", "KIND NAME", 2, 2, "Merge JSON into an object.", patch_options, run_patch},
    {"edit", "KIND NAME", 2, 2, "Change an object in your editor.", change_options,
     run_edit},
    {"history", "[KIND [NAME]]", 0, 2, "List what was changed, newest first.",
     history_options, run_history},
    {"watch", "KIND|all", 1, 1, "Print changes as they are made, until interrupted.",
     watch_options, run_watch},
    {"rollback", "[KIND NAME]", 0, 2,
     "Undo the last change, or go back to an earlier revision.", rollback_options,
     run_rollback},
    {"export", "", 0, 0, "Print everything as files to apply again.", export_options,
     run_export},
    {"schema", "KIND[.PATH]", 1, 1, "Explain the fields of a kind.", NULL, run_schema},
    {"explain", "METHOD URL", 2, 2, "Say what would happen to a request, and why.",
     explain_options, run_explain},
    {"ready", "[NODE]", 0, 1, "Say whether this node, or another, is ready.", ready_options,
     run_ready},
    {"snapshot save", "FILE", 1, 1, "Save the whole state to a file.", NULL,
     run_snapshot_save},
    {"snapshot inspect", "FILE", 1, 1, "Check a snapshot file and say what is in it.", NULL,
     run_snapshot_inspect},
    {"snapshot restore", "FILE", 1, 1,
     "Make the first node of a new cluster from a snapshot file.", restore_options,
     run_snapshot_restore},
    {"context import", "FILE", 1, 1,
     "Add the context of an admin.yaml, with the endpoints of -e if given.",
     context_import_options, run_context_import},
    {"context list", "", 0, 0, "List contexts.", NULL, run_context_list},
    {"context use", "NAME", 1, 1, "Make a context the default.", NULL, run_context_use},
    {"context rm", "NAME", 1, 1, "Forget a context.", NULL, run_context_rm},
    {"completion", "bash|zsh|fish", 1, 1, "Print a completion script for a shell.", NULL,
     run_completion},
    {"version", "", 0, 0, "Print versions.", NULL, run_version},
    {0},
};
