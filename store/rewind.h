/* Earlier states from the history: what records were, and what each change left.
 *
 * The history keeps what a change replaced, so the value at an earlier revision is
 * the old value of the first change behind it, or the record where there is none.
 * Read transactions only; slices borrow from the transaction. */
#ifndef GW_STORE_REWIND_H
#define GW_STORE_REWIND_H

#include "base/arena.h"
#include "store/history.h"
#include "store/records.h"

/* Whether the history still holds every change behind `revision`. *ret_oldest: the oldest
 * revision that can be asked for. */
enum result rewind_reaches(struct txn *txn, uint64_t revision, bool *ret_reaches,
                           uint64_t *ret_oldest);

/* Tells each key that changed in (revision, until] once, by the first of its changes: what
 * it was at `revision` is the item's old value, or nothing where it was created.
 * GW_COMPACTED: the history does not reach. Stop by returning false. */
typedef bool (*rewind_fn)(void *owner, const struct history_item *item);
enum result rewind_to(struct txn *txn, uint64_t revision, uint64_t until, rewind_fn fn,
                      void *owner);

/* The changes in (since, until], oldest first, with what they left. */
struct replay_item {
    struct slice key;
    enum history_action action;
    struct record after; /* nothing when deleted */
};
struct replay_entry {
    uint64_t revision;
    struct history_header header;
    const struct replay_item *items;
};
struct replay {
    struct arena arena;
    struct replay_entry *entries;
    size_t count;
};
/* GW_COMPACTED: some are gone. Else `ret_replay` is to be ended by replay_deinit, before
 * the transaction. */
enum result replay_read(struct txn *txn, uint64_t since, uint64_t until,
                        struct replay *ret_replay);
void replay_deinit(struct replay *replay);

#endif
