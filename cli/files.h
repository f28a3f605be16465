/* The files of -f: read, filled in from the environment, decoded. */
#ifndef GW_CLI_FILES_H
#define GW_CLI_FILES_H

#include "cli/command.h"
#include "model/source.h"

struct files {
    struct source source;
    struct change change; /* decoded objects */
    struct problems problems;
};

/* Reads every -f. Returns EXIT_OK, or the exit code after a sentence (a file that
 * cannot be read); what is wrong inside them is in `problems`. */
int files_open(struct files *files, const struct invocation *invocation);
void files_close(struct files *files);
/* Checks what was decoded against itself: references too, unless `known` is given, a
 * catalog of what the cluster holds. */
void files_check(struct files *files, const struct catalog *known);
/* Prints the problems with their source lines. True if there were errors. */
bool files_complain(struct files *files, const struct invocation *invocation);

#endif
