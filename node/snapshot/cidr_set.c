/* Prefixes become closed ranges of 128-bit numbers, sorted and merged, so that
 * a lookup is one binary search however they overlap. */
#include "node/snapshot/cidr_set.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void widen(const uint8_t *address, bool is_v6, uint8_t *ret)
{
    if (is_v6) {
        memcpy(ret, address, 16);
    } else {
        memcpy(ret, mapped, 12);
        memcpy(ret + 12, address, 4);
    }
}

static int range_compare(const void *a, const void *b)
{
    const struct cidr_range *left = a, *right = b;
    return memcmp(left->low, right->low, 16);
}

const struct cidr_set *cidr_set_build(struct arena *arena, const struct cidr *cidrs,
                                      size_t count)
{
    struct cidr_set *set = arena_zalloc(arena, sizeof *set);
    struct cidr_range *ranges = arena_alloc(arena, (count + 1) * sizeof *ranges);

    if (set == NULL || ranges == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned bits = cidrs[i].bits + (cidrs[i].is_v6 ? 0u : 96u);
        widen(cidrs[i].address, cidrs[i].is_v6, ranges[i].low);
        memcpy(ranges[i].high, ranges[i].low, 16);
        for (unsigned bit = bits; bit < 128; bit++) {
            uint8_t mask = (uint8_t)(0x80u >> bit % 8);
            ranges[i].low[bit / 8] &= (uint8_t)~mask;
            ranges[i].high[bit / 8] |= mask;
        }
    }
    if (count > 1)
        qsort(ranges, count, sizeof *ranges, range_compare);
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && memcmp(ranges[i].low, ranges[kept - 1].high, 16) <= 0) {
            if (memcmp(ranges[i].high, ranges[kept - 1].high, 16) > 0)
                memcpy(ranges[kept - 1].high, ranges[i].high, 16);
            continue;
        }
        ranges[kept++] = ranges[i];
    }
    set->ranges = ranges;
    set->count = kept;
    return set;
}

bool cidr_set_has(const struct cidr_set *set, const uint8_t *address, bool is_v6)
{
    uint8_t wide[16];

    if (set == NULL || set->count == 0)
        return false;
    widen(address, is_v6, wide);
    /* The last range that begins at or below the address. */
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(set->ranges[middle].low, wide, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && memcmp(wide, set->ranges[low - 1].high, 16) <= 0;
}

bool cidr_set_has_sockaddr(const struct cidr_set *set, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return cidr_set_has(set, (const uint8_t *)&in.sin_addr, false);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return cidr_set_has(set, (const uint8_t *)&in6.sin6_addr, true);
    }
    return false;
}

bool cidr_set_has_text(const struct cidr_set *set, struct slice text)
{
    char string[INET6_ADDRSTRLEN];
    uint8_t address[16];

    if (text.size >= 2 && text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = slice_sub(text, 1, text.size - 2);
    if (text.size == 0 || text.size >= sizeof string)
        return false;
    memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    if (inet_pton(AF_INET, string, address) == 1)
        return cidr_set_has(set, address, false);
    return inet_pton(AF_INET6, string, address) == 1 && cidr_set_has(set, address, true);
}
