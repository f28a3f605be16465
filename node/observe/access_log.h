/* The access log: lines of all workers, written by a thread of its own.
 *
 * Each worker has a ring that only it fills and only the thread empties; a line
 * costs the worker a copy, and a system call only where the ring was empty. A
 * ring that is full takes no more lines: they are lost and counted, the worker
 * waits for nobody. Lines are never torn, nor mixed with others of the process. */
#ifndef GW_NODE_ACCESS_LOG_H
#define GW_NODE_ACCESS_LOG_H

#include "base/error.h"

struct access_log;

#define ACCESS_LOG_LINE_MAX 4096u /* its LF included: what a pipe takes whole */

/* `writers`: how many rings. Writes to standard output until told otherwise. */
enum result access_log_open(unsigned writers, struct access_log **ret_log,
                            struct error *err);
/* Once no writer is left: writes what there is, for a second at most where nobody
 * takes it. NULL is fine. */
void access_log_close(struct access_log *log);
/* Any thread. Where to from now on: a file, appended to and opened anew when it is
 * renamed or removed; empty: standard output. */
void access_log_target(struct access_log *log, struct slice file);

/* The thread of that writer. `line` ends with LF. False: lost for want of room. */
bool access_log_put(struct access_log *log, unsigned writer, struct slice line);
/* Lines of that writer lost since the last call: for want of room or when written. */
uint64_t access_log_take_lost(struct access_log *log, unsigned writer);

#endif
