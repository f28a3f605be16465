/* Raft configurations as bytes: checked before libraft, which checks nothing,
 * sees them. The format is libraft's own: version, count, then id, address (NUL
 * ended), role for each; zeros up to a multiple of 8. Our addresses are the id in
 * decimal. Pure; any thread. */
#ifndef GW_RAFT_CONF_H
#define GW_RAFT_CONF_H

#include "base/slice.h"

#include <raft.h>

#define CONF_SERVERS_LIMIT 32

/* Whether libraft may decode it: exactly a configuration of 1 to
 * CONF_SERVERS_LIMIT servers, at least one of them a voter, none twice. */
bool conf_is_sound(struct slice bytes);
/* Checks and decodes; `conf` must not be open. */
bool conf_decode(struct slice bytes, struct raft_configuration *conf);
/* malloc'd bytes; data NULL when out of memory. */
struct slice conf_encode(const struct raft_configuration *conf);
bool conf_copy(struct raft_configuration *to, const struct raft_configuration *from);
/* The configuration of a new cluster of one voter. */
struct slice conf_encode_founder(uint64_t id);
const struct raft_server *conf_find(const struct raft_configuration *conf, uint64_t id);
unsigned conf_voters(const struct raft_configuration *conf);

#endif
