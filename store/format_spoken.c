/* Alone in its file, so that a test program can put another in its place. */
#include "store/format.h"

const uint64_t format_spoken = FORMAT_NEWEST;
