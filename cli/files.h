/* The files of -f: read, filled in from the environment, decoded. */
#ifndef GW_CLI_FILES_H
#define GW_CLI_FILES_H

#include "cli/command.h"
#include "model/source.h"

struct files {
    struct source source;
    struct change change; /* decoded objects */
    struct problems problems;
    bool is_decoded; /* every text could be read: nothing is missing from `change` */
};

/* Reads every -f. Returns EXIT_OK, or the exit code after a sentence (a file that
 * cannot be read); what is wrong inside them is in `problems`. */
int files_open(struct files *files, const struct invocation *invocation);
/* The same of one file alone, in which nothing is filled in. */
int files_open_one(struct files *files, const char *path);
void files_close(struct files *files);
/* Checks what was decoded, what had errors too, against itself and `known`, a catalog of
 * what the cluster holds. NULL: there is none (validate). */
void files_check(struct files *files, const struct catalog *known);
/* The same where what the cluster holds is not known (apply, before it is asked): a name
 * that the files do not define is told only where it is a near miss of one of theirs. */
void files_check_alone(struct files *files);
/* Prints the problems with their source lines. True if there were errors. */
bool files_complain(struct files *files, const struct invocation *invocation);

#endif
