/* Growing text. Running out of memory ends the program: this is a sample. */
#ifndef EXAMPLES_UPSTREAM_TEXT_H
#define EXAMPLES_UPSTREAM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *data;
    size_t size, capacity;
};

struct span {
    const char *data;
    size_t size;
};

void text_add(struct text *text, const void *data, size_t size);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number);
/* A JSON string; bytes that are no printable ASCII as \u00XX. */
void text_json(struct text *text, struct span value);
/* Takes so many bytes off the front. */
void text_drop(struct text *text, size_t size);

#endif
