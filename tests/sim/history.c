/* Multi-key transactions: their revisions are an order, so it only has to be tried. */
#include "tests/sim/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char why[512];

size_t history_begin(struct history *history, const struct operation *operation)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity * 2 + 1024;
        history->items =
            realloc(history->items, history->capacity * sizeof *history->items);
        if (history->items == NULL)
            abort();
    }
    history->items[history->count] = *operation;
    return history->count++;
}

void history_deinit(struct history *history)
{
    free(history->items);
    *history = (struct history){0};
}

static const char *judge_register(const struct history *history, unsigned key,
                                  uint64_t *undecided)
{
    size_t *places = malloc((history->count + 1) * sizeof *places), count = 0;
    const char *text = NULL;

    if (places == NULL)
        abort();
    for (size_t i = 0; i < history->count; i++) {
        const struct operation *item = &history->items[i];
        bool is_read = item->kind == OPERATION_READ;
        if ((is_read || item->kind == OPERATION_WRITE || item->kind == OPERATION_CAS) &&
            item->keys == key && item->end != OPERATION_VOID &&
            !(is_read && item->end == OPERATION_OPEN))
            places[count++] = i;
    }
    switch (linear_judge(history, places, count)) {
    case LINEAR_YES:
        break;
    case LINEAR_TOO_HARD:
        ++*undecided;
        break;
    case LINEAR_NO:
        snprintf(why, sizeof why, "the %zu operations on register %u are not linearizable",
                 count, key);
        text = why;
    }
    free(places);
    return text;
}

static const struct history *sorted_history;

static int by_revision(const void *x, const void *y)
{
    const struct operation *a = &sorted_history->items[*(const size_t *)x];
    const struct operation *b = &sorted_history->items[*(const size_t *)y];

    if (a->revision != b->revision)
        return a->revision < b->revision ? -1 : 1;
    /* A read at a revision saw its write. */
    return (a->kind == OPERATION_MULTI_READ) - (b->kind == OPERATION_MULTI_READ);
}

/* A read of a value says that its write was done, whatever its client was told. */
static bool was_seen(const struct history *history, size_t place)
{
    for (size_t i = place; i < history->count; i++) {
        const struct operation *item = &history->items[i];
        if (item->kind != OPERATION_MULTI_READ || item->end != OPERATION_DONE)
            continue;
        for (unsigned k = 0; k < HISTORY_KEYS; k++) {
            if (item->seen[k] == place + 1)
                return true;
        }
    }
    return false;
}

static const char *judge_multi(const struct history *history)
{
    size_t *places = malloc((history->count + 1) * sizeof *places), count = 0;
    uint64_t state[HISTORY_KEYS] = {0};
    bool unknown[HISTORY_KEYS] = {false};
    const char *text = NULL;

    if (places == NULL)
        abort();
    for (size_t i = 0; i < history->count; i++) {
        const struct operation *item = &history->items[i];
        bool is_multi =
            item->kind == OPERATION_MULTI_READ || item->kind == OPERATION_MULTI_WRITE;
        if (is_multi && item->end == OPERATION_DONE)
            places[count++] = i;
        if (item->kind == OPERATION_MULTI_WRITE && item->end == OPERATION_OPEN &&
            was_seen(history, i)) {
            for (unsigned k = 0; k < HISTORY_KEYS; k++)
                unknown[k] = unknown[k] || (item->keys >> k & 1) != 0;
        }
    }
    sorted_history = history;
    qsort(places, count, sizeof *places, by_revision);
    for (size_t i = 0; text == NULL && i < count; i++) {
        const struct operation *item = &history->items[places[i]];
        if (item->revision < item->known ||
            (item->kind == OPERATION_MULTI_WRITE && item->revision == item->known))
            snprintf(
                why, sizeof why,
                "client %d is told revision %llu, %llu was acknowledged before it asked",
                item->client, (unsigned long long)item->revision,
                (unsigned long long)item->known),
                text = why;
        for (unsigned k = 0; text == NULL && k < HISTORY_KEYS; k++) {
            if (item->kind == OPERATION_MULTI_WRITE && (item->keys >> k & 1) != 0)
                state[k] = places[i] + 1;
            if (item->kind == OPERATION_MULTI_READ && !unknown[k] &&
                item->seen[k] != state[k])
                snprintf(why, sizeof why,
                         "client %d reads value %llu of key %u at revision %llu, %llu is "
                         "there",
                         item->client, (unsigned long long)item->seen[k], k,
                         (unsigned long long)item->revision, (unsigned long long)state[k]),
                    text = why;
        }
    }
    free(places);
    return text;
}

const char *history_judge(const struct history *history, uint64_t *ret_undecided)
{
    const char *text = NULL;

    *ret_undecided = 0;
    for (unsigned key = 0; text == NULL && key < HISTORY_REGISTERS; key++)
        text = judge_register(history, key, ret_undecided);
    return text != NULL ? text : judge_multi(history);
}
