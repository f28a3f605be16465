/* A ring of sums, so that any range is one subtraction. It doubles when full and never
 * shrinks: at most twice what the log ever held, at 8 bytes an entry. */
#include "raft/log_bytes.h"

#include <stdlib.h>

#define CAPACITY_FIRST 1024

void log_bytes_deinit(struct log_bytes *log)
{
    free(log->sums);
    *log = (struct log_bytes){0};
}

void log_bytes_restart(struct log_bytes *log, uint64_t next)
{
    log->first = log->next = next;
    log->sum_first = 0;
}

/* Bytes up to and with `index`. */
static uint64_t sum_at(const struct log_bytes *log, uint64_t index)
{
    if (log->next == log->first || index < log->first)
        return log->sum_first;
    if (index >= log->next)
        index = log->next - 1;
    return log->sums[index & (log->capacity - 1)];
}

static void grow(struct log_bytes *log)
{
    size_t capacity = log->capacity == 0 ? CAPACITY_FIRST : log->capacity * 2;
    uint64_t *sums = calloc(capacity, sizeof *sums);

    if (sums == NULL)
        abort(); /* as wherever the core has already moved on */
    for (uint64_t index = log->first; index < log->next; index++)
        sums[index & (capacity - 1)] = log->sums[index & (log->capacity - 1)];
    free(log->sums);
    log->sums = sums;
    log->capacity = capacity;
}

void log_bytes_append(struct log_bytes *log, size_t size)
{
    uint64_t sum = sum_at(log, log->next) + size + LOG_ENTRY_COST;

    if (log->next - log->first == log->capacity)
        grow(log);
    log->sums[log->next & (log->capacity - 1)] = sum;
    log->next++;
}

void log_bytes_truncate(struct log_bytes *log, uint64_t index)
{
    if (index <= log->first)
        log_bytes_restart(log, index);
    else if (index < log->next)
        log->next = index;
}

void log_bytes_trim(struct log_bytes *log, uint64_t index)
{
    if (index < log->first)
        return;
    if (index >= log->next)
        index = log->next - 1;
    log->sum_first = sum_at(log, index);
    log->first = index + 1;
}

uint64_t log_bytes_between(const struct log_bytes *log, uint64_t low, uint64_t high)
{
    return high <= low ? 0 : sum_at(log, high) - sum_at(log, low);
}

unsigned log_bytes_fit(const struct log_bytes *log, uint64_t index, uint64_t bytes,
                       unsigned most)
{
    unsigned low = 0, high = most;

    if (high > index)
        high = (unsigned)index;
    while (low < high) { /* the largest number that fits */
        unsigned middle = low + (high - low + 1) / 2;

        if (log_bytes_between(log, index - middle, index) <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
