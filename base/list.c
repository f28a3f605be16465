/* The list is all in its header; this makes sure the header stands alone. */
#include "base/list.h"

_Static_assert(sizeof(struct list_link) == 2 * sizeof(void *), "a link is two pointers");
