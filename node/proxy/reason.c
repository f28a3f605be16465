/* The table of reasons. */
#include "node/proxy/reason.h"

static const struct reason_text texts[REASON_COUNT] = {
#define X(name, status, word, detail) \
    [REASON_##name] = {status, {word, sizeof(word) - 1}, {detail, sizeof(detail) - 1}},
    REASONS(X)
#undef X
};

const struct reason_text *reason_text(enum reason reason)
{
    return &texts[reason];
}

enum reason reason_from_word(const char *word)
{
    for (unsigned i = 1; i < REASON_COUNT; i++)
        if (slice_equal(texts[i].word, slice_from_string(word)))
            return (enum reason)i;
    return REASON_BAD_REQUEST;
}
