/* Linked into gwd-previous and gwctl-previous: the programs as the version before, for
 * stories of an upgrade. They read and write stored format 1 and do not know what came
 * with 2, as far as that is on disk and on the wire. Takes the place of
 * store/format_spoken.c. */
#include "store/format.h"

const uint64_t format_spoken = FORMAT_NEWEST - 1;
