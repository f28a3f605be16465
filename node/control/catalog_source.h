/* Keeps the decoded catalog in step with what is visible: one reader on the pool
 * at a time, newest wins. Declared in node/control/room.h. */
#ifndef GW_NODE_CATALOG_SOURCE_H
#define GW_NODE_CATALOG_SOURCE_H

#include "node/control/room.h"

#endif
