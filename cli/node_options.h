/* The options that say what a node is: of init, join and restore. */
#ifndef GW_CLI_NODE_OPTIONS_H
#define GW_CLI_NODE_OPTIONS_H

#include "cli/command.h"
#include "cli/offline/offline.h"

/* What was given; none of it is asked for. The listeners' array lives as long as the
 * process. After a sentence returns an exit code. */
int node_options_read(const struct invocation *invocation,
                      struct offline_options *ret_options);

#endif
