/* What clients asked and were told, and whether one order explains it all.
 *
 * Registers are single keys that everybody reads, writes and compares-and-sets; each
 * of their histories must be linearizable (linear.c). Multi-key transactions and
 * reads are judged by the revisions they were told: replayed in that order, every read
 * saw exactly what was there, and no revision is older than what was known when it
 * was asked for. Values are unique: each is the number of the operation that wrote it. */
#ifndef GW_SIM_HISTORY_H
#define GW_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NO_OPERATION      SIZE_MAX
#define HISTORY_REGISTERS 3
#define HISTORY_KEYS      4 /* of multi-key transactions */

enum operation_kind {
    OPERATION_OWN, /* the client's own key, at a revision expected */
    OPERATION_READ,
    OPERATION_WRITE,
    OPERATION_CAS,
    OPERATION_MULTI_READ,
    OPERATION_MULTI_WRITE
};
enum operation_end { OPERATION_OPEN, OPERATION_DONE, OPERATION_FAILED, OPERATION_VOID };

struct operation {
    enum operation_kind kind;
    enum operation_end end;
    int client;
    unsigned keys;     /* a register's number, or bits of keys */
    uint64_t sequence; /* of the session; 0: a read */
    uint64_t asked_us, answered_us;
    uint64_t known;    /* highest revision acknowledged to anybody when it was asked */
    uint64_t expected; /* CAS: the value; and its revision */
    uint64_t expected_revision;
    uint64_t value; /* READ: what was seen */
    uint64_t revision;
    uint64_t seen[HISTORY_KEYS]; /* MULTI_READ: values */
};

struct history {
    struct operation *items; /* a value is its operation's place + 1 */
    size_t count, capacity;
};

size_t history_begin(struct history *history, const struct operation *operation);
/* The first thing that no order explains, as text; NULL: all is well. `ret_undecided`
 * counts registers that were too hard. */
const char *history_judge(const struct history *history, uint64_t *ret_undecided);
void history_deinit(struct history *history);

/* linear.c: a register's operations, in the order in which they were asked. `operations`
 * are places in the history. */
enum linear_verdict { LINEAR_YES, LINEAR_NO, LINEAR_TOO_HARD };
enum linear_verdict linear_judge(const struct history *history, const size_t *operations,
                                 size_t count);

#endif
