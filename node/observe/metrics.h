/* Metrics: a registry of families; per-worker shards without locks.
 *
 * A shard is written by one thread with relaxed atomics and read by whoever
 * renders: no lock, no sharing of cache lines between workers. Series are bounded; above
 * the cap a family counts into one series labelled _other. Rendering is
 * Prometheus text 0.0.4, promtool-clean. */
#ifndef GW_NODE_METRICS_H
#define GW_NODE_METRICS_H

#include "base/buffer.h"

#include <stdatomic.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics; /* the registry */

/* A series of one shard: plain words the owner adds to. */
struct metric_cell {
    _Atomic uint64_t value;
};
#define METRIC_BUCKETS 14
struct metric_histogram { /* seconds: .001 .0025 .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 +Inf
                           */
    _Atomic uint64_t buckets[METRIC_BUCKETS];
    _Atomic uint64_t count, sum_us;
};

struct metrics *metrics_new(size_t max_series);
void metrics_free(struct metrics *metrics);

/* Any thread, rarely (locked): the series of a family for one shard (`shard`: worker
 * number, or -1 for the control side). Labels: "route=\"hello\",code=\"2xx\"" already
 * escaped by metric_labels(). Two calls with the same name, labels and shard give the same
 * cell. Never NULL: above the cap the _other cell.
 * Cells of one shard and name must be written by one thread. Gauges are summed
 * over shards and may go down: metric_add(cell, (uint64_t)-1). */
struct metric_cell *metrics_counter(struct metrics *metrics, const char *name,
                                    const char *help, struct slice labels, int shard);
struct metric_cell *metrics_gauge(struct metrics *metrics, const char *name,
                                  const char *help, struct slice labels, int shard);
struct metric_histogram *metrics_histogram(struct metrics *metrics, const char *name,
                                           const char *help, struct slice labels,
                                           int shard);
/* A gauge whose cell holds microseconds and whose page shows seconds. */
struct metric_cell *metrics_gauge_seconds(struct metrics *metrics, const char *name,
                                          const char *help, struct slice labels, int shard);
/* Appends key="value" with escaping, comma between pairs. */
void metric_label(struct buffer *labels, const char *key, struct slice value);

static inline void metric_add(struct metric_cell *cell, uint64_t n)
{
    /* One writer: a load and a store cost less than a locked add. */
    uint64_t value = atomic_load_explicit(&cell->value, memory_order_relaxed);
    atomic_store_explicit(&cell->value, value + n, memory_order_relaxed);
}
static inline void metric_set(struct metric_cell *cell, uint64_t n)
{
    atomic_store_explicit(&cell->value, n, memory_order_relaxed);
}
void metric_observe_us(struct metric_histogram *histogram, uint64_t us);

/* Sums shards and writes the text; any thread. */
void metrics_render(struct metrics *metrics, struct buffer *out);

#endif
