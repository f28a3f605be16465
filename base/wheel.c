/* A hierarchical timer wheel.
 *
 * A timer stands on the level of the highest digit (base 64) in which its due
 * time differs from now. So all timers of a level agree with now in the digits
 * above, and lie ahead in their own: the earliest timer is in the first
 * occupied slot of the lowest occupied level, and two bit scans find it. When
 * time reaches a slot of a higher level, its timers come down; each does so at
 * most WHEEL_LEVELS times. */
#include "base/wheel.h"

#define DIGIT(time, level) ((time) >> (WHEEL_BITS * (level)) & (WHEEL_SLOTS - 1))
#define TURN_BITS          (WHEEL_BITS * WHEEL_LEVELS)

/* Links the timer where its due time belongs, seen from wheel->now_ms. */
static void place(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->due_ms <= wheel->now_ms) {
        list_append(&wheel->overdue, &timer->link);
        return;
    }
    unsigned highest = 63u - (unsigned)__builtin_clzll(timer->due_ms ^ wheel->now_ms);
    unsigned level = highest / WHEEL_BITS;
    if (level >= WHEEL_LEVELS) {
        list_append(&wheel->far, &timer->link);
        return;
    }
    unsigned slot = (unsigned)DIGIT(timer->due_ms, level);
    list_append(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* Unlinks; if that emptied a slot, clears its bit. */
static void unplace(struct wheel *wheel, struct wheel_timer *timer)
{
    struct list_link *neighbour = timer->link.next;
    list_remove(&timer->link);
    if (!list_is_empty(neighbour))
        return;
    /* Alone, so the neighbour was the head: of a slot or of another list. */
    uintptr_t offset = (uintptr_t)neighbour - (uintptr_t)wheel->slots;
    if (offset < sizeof wheel->slots) {
        size_t index = offset / sizeof(struct list_link);
        wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
    }
}

/* When the earliest slot begins, and its list; UINT64_MAX when there is none. */
static uint64_t earliest(const struct wheel *wheel, unsigned *ret_level, unsigned *ret_slot)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (wheel->occupied[level] == 0)
            continue;
        unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
        uint64_t above = wheel->now_ms >> (WHEEL_BITS * (level + 1))
                                              << (WHEEL_BITS * (level + 1));
        *ret_level = level;
        *ret_slot = slot;
        return above | (uint64_t)slot << (WHEEL_BITS * level);
    }
    if (list_is_empty(&wheel->far))
        return UINT64_MAX;
    *ret_level = WHEEL_LEVELS;
    *ret_slot = 0;
    return ((wheel->now_ms >> TURN_BITS) + 1) << TURN_BITS;
}

static void fire_all(struct wheel *wheel, struct list_link *due, uint64_t now_ms)
{
    struct list_link *link;
    while ((link = list_take_first(due)) != NULL) {
        struct wheel_timer *timer = container_of(link, struct wheel_timer, link);
        wheel->count--;
        timer->fire(timer, now_ms);
    }
}

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
    wheel->now_ms = now_ms;
    wheel->count = 0;
    list_init(&wheel->overdue);
    list_init(&wheel->far);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_ms)
{
    if (wheel_is_armed(timer))
        unplace(wheel, timer);
    else
        wheel->count++;
    timer->due_ms = due_ms;
    place(wheel, timer);
}

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
    if (!wheel_is_armed(timer))
        return;
    unplace(wheel, timer);
    wheel->count--;
}

void wheel_run(struct wheel *wheel, uint64_t now_ms)
{
    /* Timers leave their slot for this list before any function runs, so a
     * function may start and stop what it likes, those in the list too. */
    struct list_link due;
    unsigned level, slot;

    list_init(&due);
    list_move_all(&due, &wheel->overdue);
    fire_all(wheel, &due, now_ms);

    for (;;) {
        uint64_t begins_ms = earliest(wheel, &level, &slot);
        if (begins_ms > now_ms || begins_ms == UINT64_MAX)
            break;
        wheel->now_ms = begins_ms;
        struct list_link moving;
        list_init(&moving);
        if (level == WHEEL_LEVELS) {
            list_move_all(&moving, &wheel->far);
        } else {
            list_move_all(&moving, &wheel->slots[level][slot]);
            wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        }
        struct list_link *link;
        while ((link = list_take_first(&moving)) != NULL) {
            struct wheel_timer *timer = container_of(link, struct wheel_timer, link);
            if (timer->due_ms <= begins_ms)
                list_append(&due, link);
            else
                place(wheel, timer);
        }
        fire_all(wheel, &due, now_ms);
    }
    if (now_ms > wheel->now_ms)
        wheel->now_ms = now_ms;
}

uint64_t wheel_next_ms(const struct wheel *wheel)
{
    unsigned level, slot;
    if (!list_is_empty(&wheel->overdue))
        return wheel->now_ms;
    return earliest(wheel, &level, &slot);
}
