/* Reading clocks: only loops and main functions do; everything below them
 * takes the time as an argument. Wall time is for display and validity. */
#ifndef GW_BASE_INSTANT_H
#define GW_BASE_INSTANT_H

#include "base/slice.h"

#define INSTANT_TEXT_SIZE 32

uint64_t instant_monotonic_ms(void);
uint64_t instant_monotonic_us(void);
uint64_t instant_boot_ms(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */
uint64_t instant_wall_ms(void); /* since 1970 */
/* The calendar in UTC. */
struct instant_civil {
    uint64_t year;
    unsigned month, day; /* from 1 */
    unsigned weekday;    /* 0: Sunday */
    unsigned hour, minute, second, millisecond;
};
void instant_civil(uint64_t wall_ms, struct instant_civil *ret);
/* RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z"; `out` holds
 * INSTANT_TEXT_SIZE. */
void instant_format(uint64_t wall_ms, char *out);
/* RFC 3339, with Z or an offset. */
bool instant_parse(struct slice text, uint64_t *ret_wall_ms);

#endif
