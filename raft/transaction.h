/* COMMAND_TRANSACTION (raft/command.h), applied. */
#ifndef GW_RAFT_TRANSACTION_H
#define GW_RAFT_TRANSACTION_H

#include "raft/fsm.h"

enum result transaction_apply(struct command_call *call);

#endif
