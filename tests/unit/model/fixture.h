/* For the tests of model/: short ways to read, decode and pack. */
#ifndef GW_TESTS_MODEL_FIXTURE_H
#define GW_TESTS_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "model/change.h"
#include "model/source.h"

#define GW "apiVersion: gw/v1\n"

/* The one resource of a text; NULL if it did not decode. */
static inline struct resource *decode_text(const char *text, struct problems *problems)
{
    struct arena arena;
    arena_init(&arena, 0, 0);
    struct value *roots =
        yaml_read(&arena, SLICE("test.yaml"), slice_from_string(text), problems);
    struct resource *resource =
        roots == NULL || roots->first == NULL
            ? NULL
            : resource_decode(roots->first, SLICE("test.yaml"), 0, problems);
    arena_deinit(&arena);
    return resource;
}

static inline bool has_problem(const struct problems *problems, const char *code,
                               const char *part)
{
    for (size_t i = 0; i < problems->count; i++)
        if (slice_equal(problems->items[i].code, slice_from_string(code)) &&
            slice_find(problems->items[i].message, slice_from_string(part)) != SIZE_MAX)
            return true;
    return false;
}

static inline void print_problems(const struct problems *problems)
{
    struct buffer out;
    buffer_init(&out, 0);
    problems_print(problems, &out, NULL, NULL);
    fprintf(stderr, "%.*s", SLICE_ARG(buffer_slice(&out)));
    buffer_deinit(&out);
}

/* Time of this process alone: a busy machine fails no test. */
static inline uint64_t cpu_us(void)
{
    return (uint64_t)clock() * 1000000 / CLOCKS_PER_SEC;
}

/* A whole file as text on the heap; NULL if it cannot be read. */
static inline char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 20);
    if (text != NULL && fread(text, 1, (1 << 20) - 1, file) == 0)
        text[0] = '\0';
    fclose(file);
    return text;
}

#endif
