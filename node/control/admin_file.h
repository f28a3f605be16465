/* D/admin.yaml, an administrator's credentials that `cluster init` wrote: while the
 * cluster's authority changes it follows, so that it can be imported afterwards. */
#ifndef GW_NODE_ADMIN_FILE_H
#define GW_NODE_ADMIN_FILE_H

#include "node/control/room.h"

/* Pool. Makes its `ca` the authorities given and, where another of them signs now, its
 * certificate a new one for the same name and key. Without such a file, or with one of
 * somebody else, nothing is done. */
void admin_file_follow(const struct control *control, struct slice authorities_pem);

#endif
