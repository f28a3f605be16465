/* The command table of gwctl: one row per command gives parsing, help,
 * completion and the list of what exists. A run function returns an exit code
 * of the contract. One thread; everything lives until the process ends. */
#ifndef GW_CLI_COMMAND_H
#define GW_CLI_COMMAND_H

#include "cli/failure.h"

#define COMMAND_ARGS_MAX    64
#define COMMAND_OPTIONS_MAX 256

struct option {
    const char *name;  /* "--data-dir" */
    char letter;       /* 'f' for -f, or 0 */
    const char *value; /* "DIR" when it takes one, NULL for a flag */
    const char *help;
};

struct invocation;

struct command {
    const char *words;                /* "cluster token create" */
    const char *arguments;            /* "NODE", "[NAME]…" for help */
    int min_arguments, max_arguments; /* max -1: any */
    const char *summary;
    const struct option *options; /* ends with a NULL name; NULL: none */
    int (*run)(struct invocation *invocation);
};

struct given_option {
    const struct option *option;
    const char *value;
};

struct invocation {
    const struct command *command;
    const char *arguments[COMMAND_ARGS_MAX];
    int argument_count;
    struct given_option options[COMMAND_OPTIONS_MAX];
    int option_count;
    /* The global options. */
    const char *context, *endpoints;
    enum output_format output;
    uint64_t timeout_ms;
    bool has_endpoints; /* given by -e, not by the environment */
    bool has_timeout, stale, quiet, verbose, yes, color;
};

extern const struct command commands[]; /* ends with NULL words */
extern const struct option global_options[];

/* Finds the command and sorts out its options. Returns EXIT_OK, or after a
 * sentence on stderr the exit code. *ret_help: the person asked for help, which
 * was printed. */
int command_parse(int argc, char **argv, struct invocation *ret_invocation, bool *ret_help);
void command_help(const struct command *command);
/* The value of an option, the last given; NULL when not given. "" for a flag. */
const char *option_value(const struct invocation *invocation, const char *name);
/* For options given more than once: start with *position 0. */
const char *option_next(const struct invocation *invocation, const char *name,
                        int *position);

/* The commands, by room. */
int run_apply(struct invocation *invocation);
int run_validate(struct invocation *invocation);
int run_diff(struct invocation *invocation);
int run_get(struct invocation *invocation);
int run_set(struct invocation *invocation);
int run_patch(struct invocation *invocation);
int run_edit(struct invocation *invocation);
int run_history(struct invocation *invocation);
int run_watch(struct invocation *invocation);
int run_rollback(struct invocation *invocation);
int run_describe(struct invocation *invocation);
int run_delete(struct invocation *invocation);
int run_export(struct invocation *invocation);
int run_schema(struct invocation *invocation);
int run_explain(struct invocation *invocation);
int run_ready(struct invocation *invocation);
int run_cluster_init(struct invocation *invocation);
int run_cluster_join(struct invocation *invocation);
int run_cluster_recover(struct invocation *invocation);
int run_cluster_status(struct invocation *invocation);
int run_cluster_members(struct invocation *invocation);
int run_cluster_leader(struct invocation *invocation);
int run_cluster_role(struct invocation *invocation);
int run_cluster_promote(struct invocation *invocation);
int run_cluster_demote(struct invocation *invocation);
int run_cluster_transfer(struct invocation *invocation);
int run_cluster_remove(struct invocation *invocation);
int run_cluster_wait(struct invocation *invocation);
int run_token_create(struct invocation *invocation);
int run_token_list(struct invocation *invocation);
int run_token_revoke(struct invocation *invocation);
int run_upgrade_status(struct invocation *invocation);
int run_upgrade_finalize(struct invocation *invocation);
int run_certs_list(struct invocation *invocation);
int run_certs_rotate(struct invocation *invocation);
int run_keys_export(struct invocation *invocation);
int run_keys_rotate(struct invocation *invocation);
int run_keys_import(struct invocation *invocation);
int run_snapshot_save(struct invocation *invocation);
int run_snapshot_inspect(struct invocation *invocation);
int run_snapshot_restore(struct invocation *invocation);
int run_context_import(struct invocation *invocation);
int run_context_list(struct invocation *invocation);
int run_context_use(struct invocation *invocation);
int run_context_rm(struct invocation *invocation);
int run_completion(struct invocation *invocation);
int run_version(struct invocation *invocation);

#endif
