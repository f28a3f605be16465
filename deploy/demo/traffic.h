/* Steady requests to one node, so that there is something to watch. A thread per node.
 *
 * The counters are written by that thread alone and may be read by any. */
#ifndef DEPLOY_DEMO_TRAFFIC_H
#define DEPLOY_DEMO_TRAFFIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct traffic {
    int port;
    const char *host;
    const char *path;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_ulong answered; /* status 2xx */
    atomic_ulong failed;   /* any other status, cut off, or too late */
    atomic_ulong refused;  /* nobody listens: the node is down */
};

/* One request; returns the status, 0 when there was no whole answer within two seconds, -1
 * when nobody listens. */
int traffic_once(int port, const char *host, const char *path);

/* Sends twenty requests a second until traffic_stop. The strings are borrowed until then.
 */
bool traffic_start(struct traffic *traffic);
void traffic_stop(struct traffic *traffic);

#endif
