/* Is there an order? Wing and Gong's search with Lowe's memory of what was tried.
 *
 * Calls and returns stand in a list by time. The search takes any call before the
 * first return, if the register allows its answer, and goes on without it; at a return
 * it goes back to what it chose last. A set of (operations taken, value) keeps it from
 * trying the same twice; the set of operations is kept as the xor of a hash each, so a
 * collision, one in 2^64, could hide a violation but never make one up. */
#include "tests/sim/history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_LIMIT 4000000

struct node {
    const struct operation *operation;
    struct node *match; /* of a call: its return; NULL: this is a return */
    struct node *next, *previous;
    uint64_t at_us, hash;
};

struct seen {
    uint64_t *slots;
    size_t count, capacity;
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* False: it was there. */
static bool seen_add(struct seen *seen, uint64_t key)
{
    key |= key == 0;
    if (2 * seen->count >= seen->capacity) {
        struct seen grown = {.capacity = seen->capacity * 2 + 1024, .count = seen->count};
        grown.slots = must(calloc(grown.capacity, sizeof *grown.slots));
        for (size_t i = 0; i < seen->capacity; i++) {
            if (seen->slots[i] == 0)
                continue;
            size_t at = seen->slots[i] % grown.capacity;
            while (grown.slots[at] != 0)
                at = (at + 1) % grown.capacity;
            grown.slots[at] = seen->slots[i];
        }
        free(seen->slots);
        *seen = grown;
    }
    assert(seen->capacity > 0);
    size_t at = key % seen->capacity;
    while (seen->slots[at] != 0 && seen->slots[at] != key)
        at = (at + 1) % seen->capacity;
    if (seen->slots[at] == key)
        return false;
    seen->slots[at] = key;
    seen->count++;
    return true;
}

/* Whether the register, holding `state`, may answer so; and what it holds then. */
static bool step(const struct history *history, const struct operation *operation,
                 uint64_t state, uint64_t *ret_state)
{
    uint64_t own = (uint64_t)(operation - history->items) + 1;

    *ret_state = state;
    switch (operation->kind) {
    case OPERATION_READ:
        return operation->value == state;
    case OPERATION_WRITE:
        *ret_state = own;
        return true;
    case OPERATION_CAS:
        if (operation->end == OPERATION_FAILED)
            return state != operation->expected;
        if (state == operation->expected)
            *ret_state = own;
        /* Without an answer it may have found another value, and done nothing. */
        return state == operation->expected || operation->end == OPERATION_OPEN;
    default:
        return false;
    }
}

static void lift(struct node *call)
{
    call->previous->next = call->next;
    call->next->previous = call->previous;
    struct node *back = call->match;
    back->previous->next = back->next;
    if (back->next != NULL)
        back->next->previous = back->previous;
}

static void unlift(struct node *call)
{
    struct node *back = call->match;
    back->previous->next = back;
    if (back->next != NULL)
        back->next->previous = back;
    call->previous->next = call;
    call->next->previous = call;
}

static int by_time(const void *x, const void *y)
{
    const struct node *a = *(struct node *const *)x, *b = *(struct node *const *)y;

    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    /* At one time, calls come first: they overlap. */
    return (a->match == NULL) - (b->match == NULL);
}

static struct node *lay_out(const struct history *history, const size_t *operations,
                            size_t count, struct node *nodes)
{
    struct node **order = must(calloc(2 * count + 1, sizeof(struct node *)));
    struct node *head = &nodes[2 * count];

    for (size_t i = 0; i < count; i++) {
        struct node *call = &nodes[2 * i], *back = &nodes[2 * i + 1];
        const struct operation *operation = &history->items[operations[i]];
        call->operation = back->operation = operation;
        call->match = back;
        call->at_us = operation->asked_us;
        call->hash = mix(operations[i] + 1);
        back->at_us =
            operation->end == OPERATION_OPEN ? UINT64_MAX : operation->answered_us;
        order[2 * i] = call;
        order[2 * i + 1] = back;
    }
    qsort(order, 2 * count, sizeof(struct node *), by_time);
    struct node *last = head;
    for (size_t i = 0; i < 2 * count; i++) {
        last->next = order[i];
        order[i]->previous = last;
        last = order[i];
    }
    free(order);
    return head;
}

enum linear_verdict linear_judge(const struct history *history, const size_t *operations,
                                 size_t count)
{
    struct node *nodes = must(calloc(2 * count + 1, sizeof *nodes));
    struct {
        struct node *call;
        uint64_t state;
    } *taken = must(calloc(count + 1, sizeof *taken));
    struct node *head = lay_out(history, operations, count, nodes), *at = head->next;
    struct seen seen = {0};
    enum linear_verdict verdict = LINEAR_YES;
    uint64_t state = 0, set = 0, next, steps = 0;
    size_t depth = 0;

    while (at != NULL && at->at_us != UINT64_MAX) {
        if (++steps > STEPS_LIMIT) {
            verdict = LINEAR_TOO_HARD;
            break;
        }
        if (at->match != NULL) {
            if (step(history, at->operation, state, &next) &&
                seen_add(&seen, mix(set ^ at->hash) ^ mix(next + 0x9e3779b97f4a7c15u))) {
                taken[depth].call = at;
                taken[depth++].state = state;
                set ^= at->hash;
                state = next;
                lift(at);
                at = head->next;
            } else {
                at = at->next;
            }
            continue;
        }
        if (depth == 0) {
            verdict = LINEAR_NO;
            break;
        }
        depth--;
        state = taken[depth].state;
        set ^= taken[depth].call->hash;
        unlift(taken[depth].call);
        at = taken[depth].call->next;
    }
    free(seen.slots);
    free(taken);
    free(nodes);
    return verdict;
}
