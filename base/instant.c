/* Clocks and RFC 3339. The calendar is computed, not asked of libc: no locale,
 * no time zone, no lock [Hinnant, chrono-compatible low-level date algorithms]. */
#include "base/instant.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t instant_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000u;
}

uint64_t instant_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t instant_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000u;
}

uint64_t instant_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000u;
}

/* Years of eras begin in March, so a leap day is the last of its year. */
static uint64_t days_from_civil(uint64_t year, unsigned month, unsigned day)
{
    if (month <= 2)
        year--;
    uint64_t era = year / 400;
    uint64_t year_of_era = year - era * 400;
    uint64_t day_of_year = (153u * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    uint64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void instant_civil(uint64_t wall_ms, struct instant_civil *ret)
{
    uint64_t seconds = wall_ms / 1000;
    uint64_t days = seconds / 86400 + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days - era * 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153;

    ret->day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    ret->month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    ret->year = year_of_era + era * 400 + (ret->month <= 2);
    ret->weekday = (unsigned)((seconds / 86400 + 4) % 7);
    ret->hour = (unsigned)(seconds / 3600 % 24);
    ret->minute = (unsigned)(seconds / 60 % 60);
    ret->second = (unsigned)(seconds % 60);
    ret->millisecond = (unsigned)(wall_ms % 1000);
}

void instant_format(uint64_t wall_ms, char *out)
{
    struct instant_civil c;
    instant_civil(wall_ms, &c);
    /* The remainders tell the compiler that the text fits. */
    snprintf(out, INSTANT_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(c.year % 10000), c.month % 100, c.day % 100, c.hour % 100,
             c.minute % 100, c.second % 100, c.millisecond % 1000);
}

static bool read_digits(struct slice *text, unsigned count, unsigned *ret_value)
{
    uint64_t value;
    if (text->size < count || !slice_parse_u64(slice_sub(*text, 0, count), &value))
        return false;
    *text = slice_from(*text, count);
    *ret_value = (unsigned)value;
    return true;
}

static bool read_byte(struct slice *text, const char *any_of)
{
    if (text->size == 0 || text->data[0] == '\0' || strchr(any_of, text->data[0]) == NULL)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool instant_parse(struct slice text, uint64_t *ret_wall_ms)
{
    unsigned year, month, day, hour, minute, second, ms = 0;

    if (!read_digits(&text, 4, &year) || !read_byte(&text, "-") ||
        !read_digits(&text, 2, &month) || !read_byte(&text, "-") ||
        !read_digits(&text, 2, &day) || !read_byte(&text, "Tt ") ||
        !read_digits(&text, 2, &hour) || !read_byte(&text, ":") ||
        !read_digits(&text, 2, &minute) || !read_byte(&text, ":") ||
        !read_digits(&text, 2, &second))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (read_byte(&text, ".")) {
        unsigned scale = 100, digit, count = 0;
        while (read_digits(&text, 1, &digit)) {
            ms += digit * scale;
            scale /= 10;
            count++;
        }
        if (count == 0)
            return false;
    }
    uint64_t seconds =
        days_from_civil(year, month, day) * 86400 + hour * 3600u + minute * 60u + second;

    if (!read_byte(&text, "Zz")) {
        bool ahead = read_byte(&text, "+");
        unsigned offset_hour, offset_minute;
        if ((!ahead && !read_byte(&text, "-")) || !read_digits(&text, 2, &offset_hour) ||
            !read_byte(&text, ":") || !read_digits(&text, 2, &offset_minute) ||
            offset_hour > 23 || offset_minute > 59)
            return false;
        uint64_t offset = offset_hour * 3600u + offset_minute * 60u;
        if (ahead && offset > seconds)
            return false;
        seconds = ahead ? seconds - offset : seconds + offset;
    }
    if (text.size != 0)
        return false;
    *ret_wall_ms = seconds * 1000 + ms;
    return true;
}
