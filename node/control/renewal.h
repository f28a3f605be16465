/* Whether a node's certificate is to be renewed: a decision, apart from the doing of
 * it (credentials.h). Pure; wall time is an argument. */
#ifndef GW_NODE_RENEWAL_H
#define GW_NODE_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

enum renewal {
    RENEWAL_NONE,
    RENEWAL_AGE,      /* two thirds of its life are over */
    RENEWAL_RETIRED,  /* somebody wants it gone */
    RENEWAL_AUTHORITY /* another authority signs now */
};

struct renewal_facts {
    uint64_t from_ms, until_ms; /* its validity, wall time */
    bool is_retired;
    bool is_signed; /* by the authority that signs now */
};

enum renewal renewal_due(const struct renewal_facts *facts, uint64_t now_ms);
const char *renewal_text(enum renewal renewal);
/* How long to wait after the given number of failures in a row. */
uint64_t renewal_pause_ms(unsigned failures);

#endif
