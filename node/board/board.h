/* Live verdicts as workers read them: one atomic word per endpoint slot.
 *
 * Slots are allocated by control when it compiles, in chunks that never move,
 * and freed after the last snapshot that uses them. Written by one thread
 * (health, later), read relaxed by any worker. Until agreed health exists
 * every slot says "up". */
#ifndef GW_NODE_BOARD_H
#define GW_NODE_BOARD_H

#include "base/error.h"

enum board_state { BOARD_UP, BOARD_DOWN, BOARD_DRAINING };

struct board;
struct board_slot; /* never moves; alive while referenced */

struct board *board_new(void);
/* Once no slot is used any more. */
void board_free(struct board *board);
/* Control thread or pool (locked inside): finds or makes the slot of
 * "service/address:port"; shares. NULL when out of memory. */
struct board_slot *board_slot_ref(struct board *board, struct slice key);
/* The same, but NULL when there is none: for whoever brings a verdict. */
struct board_slot *board_slot_find(struct board *board, struct slice key);
/* After the last one the slot may serve another key. */
void board_slot_unref(struct board *board, struct board_slot *slot);
/* Slots in use. */
size_t board_slot_count(struct board *board);
/* Any thread, without the lock. */
enum board_state board_slot_state(const struct board_slot *slot);
void board_slot_set(struct board_slot *slot, enum board_state state);
/* A fault point: until `until_ms` of the monotonic clock the endpoint takes calls and
 * never answers; 0: it does. */
bool board_slot_is_hole(const struct board_slot *slot, uint64_t now_ms);
void board_slot_hole_set(struct board_slot *slot, uint64_t until_ms);

#endif
