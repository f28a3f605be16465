/* How long a packet takes to the other side of a TCP connection and back, as the
 * kernel has seen it. A room of its own, since <linux/tcp.h>, which alone knows
 * the least round trip, cannot stand beside what <uv.h> includes. Any thread. */
#ifndef GW_NET_ROUND_TRIP_H
#define GW_NET_ROUND_TRIP_H

#include <stdint.h>

/* The least of the last minutes, in microseconds: neither a queue nor a delayed
 * acknowledgement is in it. 0: not known, or no TCP socket. */
uint64_t round_trip_us(int fd);

#endif
