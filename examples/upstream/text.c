#include "examples/upstream/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_room(struct text *text, size_t more)
{
    if (text->size + more > text->capacity) {
        size_t capacity = text->capacity == 0 ? 1024 : text->capacity;
        while (capacity < text->size + more)
            capacity *= 2;
        char *data = realloc(text->data, capacity);
        if (data == NULL) {
            fprintf(stderr, "upstream: out of memory\n");
            abort();
        }
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->size;
}

void text_add(struct text *text, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(text_room(text, size), data, size);
    text->size += size;
}

void text_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_number(struct text *text, uint64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    text_add(text, digits, (size_t)size);
}

void text_json(struct text *text, struct span value)
{
    text_add(text, "\"", 1);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            text_add(text, pair, 2);
        } else if (c < 0x20 || c > 0x7e) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", c);
            text_add(text, escape, 6);
        } else {
            text_add(text, &value.data[i], 1);
        }
    }
    text_add(text, "\"", 1);
}

void text_drop(struct text *text, size_t size)
{
    text->size -= size;
    if (text->size > 0)
        memmove(text->data, text->data + size, text->size);
}
