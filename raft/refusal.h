/* How a command says no. The result is that of the command's function: GW_OK, as it was
 * carried out; what went wrong is in the answer. */
#ifndef GW_RAFT_REFUSAL_H
#define GW_RAFT_REFUSAL_H

#include "raft/fsm.h"

enum result command_refuse(struct command_call *call, enum result why, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));
/* With the keys in `detail`; its text is set here. */
enum result command_refuse_keys(struct command_call *call, enum result why,
                                const char *text, struct command_detail *detail);
enum result command_malformed(struct command_call *call);

#endif
