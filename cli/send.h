/* A change on its way to the cluster, and what is told of it: what apply, delete, set,
 * patch, edit and rollback have in common, with the flags that they share. */
#ifndef GW_CLI_SEND_H
#define GW_CLI_SEND_H

#include "cli/client.h"
#include "cli/files.h"

struct send {
    const struct invocation *invocation;
    const char *method;
    struct buffer target; /* path, then what the flags and the command add */
    bool has_query;
    struct buffer body;
    const char *if_match;
    uint64_t wait_ms;    /* of the server, for others to serve it */
    struct files *files; /* borrowed; where errors are placed; may be NULL */
};

/* Whether the shared flags make sense; else an exit code after a sentence. */
int send_check(const struct invocation *invocation);
/* The target is `path` with what --dry-run, --if-revision and --wait ask for. */
void send_init(struct send *send, const struct invocation *invocation, const char *method,
               const char *path);
void send_deinit(struct send *send);
void send_query(struct send *send, const char *key, struct slice value);
/* GW_OK: there was an answer, whatever its status; else an exit code goes to *ret_exit,
 * after a sentence. `ret_answer` is then nothing. */
enum result send_ask(struct send *send, struct answer *ret_answer, int *ret_exit);
/* Prints what came of it, a refusal too, and gives the exit code. Frees the answer. */
int send_tell(struct send *send, struct answer *answer);
/* Both. */
int send_run(struct send *send);

#endif
