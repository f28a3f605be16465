/* The format of what is stored, one number for the whole cluster: a record, so that
 * all nodes go by it from the same entry on. Programs of version N and N-1 mix; what
 * only N understands is written once `gwctl cluster upgrade finalize` has raised it.
 *
 *   1  the beginning
 *   2  messages and createRevisions in the history, so that a rollback is exact;
 *      COMMAND_SYSTEM: certificates told, listed and rotated, keys rotated
 *
 * A data directory bears it too, so that an older program ends at its start. */
#ifndef GW_STORE_FORMAT_H
#define GW_STORE_FORMAT_H

#include "store/env.h"

#define FORMAT_OLDEST 1
#define FORMAT_NEWEST 2
#define FORMAT_KEY    SLICE("_format")

/* The newest this program reads and writes: FORMAT_NEWEST, but in programs that tests
 * build to act as the version before (tests/lib/previous.c). */
extern const uint64_t format_spoken;

/* 1 where nothing is recorded. */
enum result format_get(struct txn *txn, uint64_t *ret_format);
/* Records it and marks the directory. Write transactions only. */
enum result format_put(struct txn *txn, uint64_t index, uint64_t format);
/* Marks the directory as the record says: after a dump was installed. */
enum result format_mark(struct txn *txn);
/* What a format brings, for people; NULL for one that is not known here. */
const char *format_brings(uint64_t format);

#endif
