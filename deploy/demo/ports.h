/* Free loopback ports, held until the process that needs them starts.
 *
 * A port that is only looked at may be taken by somebody else a moment later. Here it stays
 * bound (but not listening, so that an early caller is refused rather than left hanging)
 * until ports_release. What remains of the race is the moment between release and the
 * child's own bind; the demo then starts again with other ports. */
#ifndef DEPLOY_DEMO_PORTS_H
#define DEPLOY_DEMO_PORTS_H

#include <stdbool.h>

struct port {
    int number;
    int held; /* descriptor, or -1 */
};

/* Takes the wished port of 127.0.0.1 where nothing listens there, else any; wished 0: any.
 * False: none to be had. */
bool ports_hold(struct port *port, int wished);

void ports_release(struct port *port);

/* Whether something accepts connections there now. */
bool ports_answers(int number);

#endif
