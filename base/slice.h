/* A view of bytes that somebody else owns. Passed by value; valid as long as
 * the owner says. Never terminated by NUL; may hold any byte. */
#ifndef GW_BASE_SLICE_H
#define GW_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){("" literal), sizeof(literal) - 1})
/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).size, (s).data

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){data, size};
}

/* NULL gives the empty slice. */
static inline struct slice slice_from_string(const char *string)
{
    return (struct slice){string, string == NULL ? 0 : strlen(string)};
}

static inline bool slice_is_empty(struct slice s)
{
    return s.size == 0;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline struct slice slice_from(struct slice s, size_t offset)
{
    return offset >= s.size ? (struct slice){s.data, 0}
                            : (struct slice){s.data + offset, s.size - offset};
}

static inline struct slice slice_sub(struct slice s, size_t offset, size_t size)
{
    s = slice_from(s, offset);
    if (s.size > size)
        s.size = size;
    return s;
}

/* Equal but for the case of ASCII letters. */
bool slice_equal_nocase(struct slice a, struct slice b);
/* memcmp order, then the shorter first. */
int slice_compare(struct slice a, struct slice b);
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
/* The first place of `byte`, or SIZE_MAX. */
size_t slice_find_byte(struct slice s, char byte);
/* The first place of `needle`, or SIZE_MAX. */
size_t slice_find(struct slice s, struct slice needle);
/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);
/* Cuts at the first `separator`: gives what stands before it and moves *rest
 * behind it. False once *rest is used up. An empty last part is not given. */
bool slice_next(struct slice *rest, char separator, struct slice *ret_part);
/* Decimal digits only, no sign, no overflow. */
bool slice_parse_u64(struct slice s, uint64_t *ret_value);
/* Hex digits of either case, at most 16. */
bool slice_parse_hex(struct slice s, uint64_t *ret_value);
/* Lower-case hex of `bytes` into `out`, which holds 2 * size + 1. */
void slice_to_hex(struct slice bytes, char *out);
/* Decodes hex into `out` of exactly `size` bytes; false unless it fits to the digit. */
bool slice_from_hex(struct slice hex, void *out, size_t size);
/* Edit distance with transpositions, capped: SIZE_MAX above `limit`. For "did you mean". */
size_t slice_distance(struct slice a, struct slice b, size_t limit);
/* A NUL-terminated copy on the heap, owned by the caller; NULL when out of memory. */
char *slice_to_string(struct slice s);
/* Bytes of the UTF-8 character that `s` begins with; 0 when it begins with none. */
size_t slice_utf8_size(struct slice s);
bool slice_is_utf8(struct slice s);

#endif
