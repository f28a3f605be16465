/* Asking before what cannot be undone. */
#ifndef GW_CLI_CONFIRM_H
#define GW_CLI_CONFIRM_H

#include "cli/command.h"

/* Prints the consequence. EXIT_OK with --yes, or when a person on a terminal says yes;
 * otherwise, after a sentence, an exit code. */
int confirm(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
