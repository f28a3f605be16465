/* The registry: families by name, series by labels, a cell per series and shard.
 *
 * A shard's cells come from blocks of its own, aligned to cache lines, so two
 * workers never write to one line. The lock guards the lists only; adding to a
 * cell never takes it. Rendering lets go of the lock every few series, so that
 * a worker that meets a new label waits for microseconds, not for the page; the
 * price is that a page is no instant: cells move while it is written.
 *
 * Above the cap a series counts into the family's series whose labels all say
 * _other, so sums stay right. Series without labels and the _other series do
 * not count against the cap: the program's text bounds them. */
#include "node/observe/metrics.h"

#include "base/table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define LINE          64u
#define BLOCK_BYTES   (16u * 1024)
#define SERIES_BREATH 64u /* series rendered per turn of the lock */

/* What a histogram takes of the cap: its buckets, sum and count. */
#define HISTOGRAM_SERIES (METRIC_BUCKETS + 2u)

struct series {
    struct series *next;
    struct slice labels; /* owned, behind the struct */
    void **cells;        /* owned; by shard + 1; NULL: never used there */
    int cell_count;
};

struct family {
    struct family *next; /* sorted by name */
    struct slice name;   /* owned */
    char *help;          /* owned */
    enum metric_type type;
    bool in_us; /* cells hold microseconds, the page shows seconds */
    struct table by_labels;
    struct series *first, *last;
};

/* Memory that one shard's cells are cut from. */
struct shard_block {
    struct shard_block *next;
    size_t used;
};

struct shard {
    struct shard_block *blocks; /* owned */
};

struct metrics {
    pthread_mutex_t lock;
    size_t max_series, series_count; /* lines against the cap */
    struct family *families;
    struct table by_name;
    struct shard *shards; /* by shard + 1 */
    int shard_count;
    uint64_t dropped; /* registrations turned to _other; under the lock */
    /* Taken when memory is short: what is counted here is lost. */
    struct metric_cell spare_cell;
    struct metric_histogram spare_histogram;
};

static const uint64_t bounds_us[METRIC_BUCKETS - 1] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000,
};
static const char *const bounds_text[METRIC_BUCKETS] = {
    "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25",  "0.5",    "1",     "2.5",  "5",     "10",   "+Inf",
};

struct metrics *metrics_new(size_t max_series)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return NULL;
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->max_series = max_series;
    table_init(&metrics->by_name);
    return metrics;
}

static void family_free(struct family *family)
{
    for (struct series *series = family->first; series != NULL;) {
        struct series *next = series->next;
        free(series->cells);
        free(series);
        series = next;
    }
    table_deinit(&family->by_labels);
    free((void *)(uintptr_t)family->name.data);
    free(family->help);
    free(family);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (struct family *family = metrics->families; family != NULL;) {
        struct family *next = family->next;
        family_free(family);
        family = next;
    }
    for (int i = 0; i < metrics->shard_count; i++) {
        for (struct shard_block *block = metrics->shards[i].blocks; block != NULL;) {
            struct shard_block *next = block->next;
            free(block);
            block = next;
        }
    }
    free(metrics->shards);
    table_deinit(&metrics->by_name);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

void metric_label(struct buffer *labels, const char *key, struct slice value)
{
    if (labels->size > 0)
        buffer_append_byte(labels, ',');
    buffer_append_slice(labels, slice_from_string(key));
    buffer_append(labels, "=\"", 2);
    while (value.size > 0) {
        size_t width = slice_utf8_size(value);
        if (width == 0) {
            buffer_append(labels, "\xef\xbf\xbd", 3); /* the page is UTF-8 throughout */
            width = 1;
        } else if (value.data[0] == '\n') {
            buffer_append(labels, "\\n", 2);
        } else {
            if (value.data[0] == '"' || value.data[0] == '\\')
                buffer_append_byte(labels, '\\');
            buffer_append(labels, value.data, width);
        }
        value = slice_from(value, width);
    }
    buffer_append_byte(labels, '"');
}

/* The same label names, each with the value _other. */
static bool other_labels(struct slice labels, struct buffer *out)
{
    size_t at = 0;
    while (at < labels.size) {
        size_t start = at;
        while (at < labels.size && labels.data[at] != '=')
            at++;
        buffer_append_slice(out, slice_sub(labels, start, at - start));
        buffer_append(out, "=\"_other\"", 9);
        at += 2; /* =" */
        while (at < labels.size && labels.data[at] != '"')
            at += labels.data[at] == '\\' ? 2 : 1;
        at++; /* the closing quote */
        if (at < labels.size && labels.data[at] == ',')
            buffer_append_byte(out, ',');
        at++;
    }
    return !out->failed;
}

static struct family *family_find(struct metrics *metrics, const char *name,
                                  const char *help, enum metric_type type, bool in_us)
{
    struct slice key = slice_from_string(name);
    struct family *family = table_get(&metrics->by_name, key);
    if (family != NULL) {
        assert(family->type == type && family->in_us == in_us);
        return family;
    }
    family = calloc(1, sizeof *family);
    if (family == NULL)
        return NULL;
    table_init(&family->by_labels);
    family->type = type;
    family->in_us = in_us;
    family->name = (struct slice){slice_to_string(key), key.size};
    family->help = slice_to_string(slice_from_string(help));
    if (family->name.data == NULL || family->help == NULL ||
        !table_put(&metrics->by_name, family->name, family)) {
        family_free(family);
        return NULL;
    }
    struct family **place = &metrics->families;
    while (*place != NULL && slice_compare((*place)->name, family->name) < 0)
        place = &(*place)->next;
    family->next = *place;
    *place = family;
    return family;
}

static struct series *series_make(struct family *family, struct slice labels)
{
    struct series *series = calloc(1, sizeof *series + labels.size + 1);
    if (series == NULL)
        return NULL;
    char *text = (char *)(series + 1);
    if (labels.size > 0)
        memcpy(text, labels.data, labels.size);
    series->labels = (struct slice){text, labels.size};
    if (!table_put(&family->by_labels, series->labels, series)) {
        free(series);
        return NULL;
    }
    if (family->last == NULL)
        family->first = series;
    else
        family->last->next = series;
    family->last = series;
    return series;
}

static struct series *series_find(struct metrics *metrics, struct family *family,
                                  struct slice labels)
{
    struct series *series = table_get(&family->by_labels, labels);
    if (series != NULL)
        return series;
    if (labels.size == 0)
        return series_make(family, labels);

    size_t cost = family->type == METRIC_HISTOGRAM ? HISTOGRAM_SERIES : 1;
    if (metrics->series_count + cost <= metrics->max_series) {
        series = series_make(family, labels);
        if (series != NULL)
            metrics->series_count += cost;
        return series;
    }
    metrics->dropped++;
    struct buffer other;
    buffer_init(&other, 0);
    if (other_labels(labels, &other)) {
        series = table_get(&family->by_labels, buffer_slice(&other));
        if (series == NULL)
            series = series_make(family, buffer_slice(&other));
    }
    buffer_deinit(&other);
    return series;
}

static void *shard_take(struct metrics *metrics, int shard, size_t size)
{
    if (shard >= metrics->shard_count) {
        struct shard *shards =
            realloc(metrics->shards, ((size_t)shard + 1) * sizeof *shards);
        if (shards == NULL)
            return NULL;
        for (int i = metrics->shard_count; i <= shard; i++)
            shards[i] = (struct shard){NULL};
        metrics->shards = shards;
        metrics->shard_count = shard + 1;
    }
    struct shard_block *block = metrics->shards[shard].blocks;
    if (block == NULL || size > BLOCK_BYTES - block->used) {
        block = aligned_alloc(LINE, BLOCK_BYTES);
        if (block == NULL)
            return NULL;
        memset(block, 0, BLOCK_BYTES);
        block->next = metrics->shards[shard].blocks;
        block->used = LINE;
        metrics->shards[shard].blocks = block;
    }
    void *cell = (char *)block + block->used;
    block->used += size;
    return cell;
}

/* Under the lock. */
static void *cell_find(struct metrics *metrics, struct series *series, int shard,
                       size_t size)
{
    if (shard >= series->cell_count) {
        void **cells = realloc(series->cells, ((size_t)shard + 1) * sizeof *cells);
        if (cells == NULL)
            return NULL;
        for (int i = series->cell_count; i <= shard; i++)
            cells[i] = NULL;
        series->cells = cells;
        series->cell_count = shard + 1;
    }
    if (series->cells[shard] == NULL)
        series->cells[shard] = shard_take(metrics, shard, size);
    return series->cells[shard];
}

static void *cell_of(struct metrics *metrics, const char *name, const char *help,
                     enum metric_type type, bool in_us, struct slice labels, int shard,
                     size_t size)
{
    void *cell = NULL;

    assert(shard >= -1);
    pthread_mutex_lock(&metrics->lock);
    struct family *family = family_find(metrics, name, help, type, in_us);
    if (family != NULL) {
        struct series *series = series_find(metrics, family, labels);
        if (series != NULL)
            cell = cell_find(metrics, series, shard + 1, size);
    }
    pthread_mutex_unlock(&metrics->lock);
    return cell;
}

struct metric_cell *metrics_counter(struct metrics *metrics, const char *name,
                                    const char *help, struct slice labels, int shard)
{
    struct metric_cell *cell = cell_of(metrics, name, help, METRIC_COUNTER, false, labels,
                                       shard, sizeof(struct metric_cell));
    return cell != NULL ? cell : &metrics->spare_cell;
}

struct metric_cell *metrics_gauge(struct metrics *metrics, const char *name,
                                  const char *help, struct slice labels, int shard)
{
    struct metric_cell *cell = cell_of(metrics, name, help, METRIC_GAUGE, false, labels,
                                       shard, sizeof(struct metric_cell));
    return cell != NULL ? cell : &metrics->spare_cell;
}

struct metric_cell *metrics_gauge_seconds(struct metrics *metrics, const char *name,
                                          const char *help, struct slice labels, int shard)
{
    struct metric_cell *cell = cell_of(metrics, name, help, METRIC_GAUGE, true, labels,
                                       shard, sizeof(struct metric_cell));
    return cell != NULL ? cell : &metrics->spare_cell;
}

struct metric_histogram *metrics_histogram(struct metrics *metrics, const char *name,
                                           const char *help, struct slice labels, int shard)
{
    struct metric_histogram *histogram =
        cell_of(metrics, name, help, METRIC_HISTOGRAM, true, labels, shard,
                sizeof(struct metric_histogram));
    return histogram != NULL ? histogram : &metrics->spare_histogram;
}

static void word_add(_Atomic uint64_t *word, uint64_t n)
{
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, value + n, memory_order_relaxed);
}

static uint64_t word_read(_Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

void metric_observe_us(struct metric_histogram *histogram, uint64_t us)
{
    unsigned i = 0;
    while (i < METRIC_BUCKETS - 1 && us > bounds_us[i])
        i++;
    word_add(&histogram->buckets[i], 1);
    word_add(&histogram->count, 1);
    word_add(&histogram->sum_us, us);
}

static void print_sample(struct buffer *out, struct slice name, const char *suffix,
                         struct slice labels, const char *le)
{
    buffer_append_slice(out, name);
    buffer_append_slice(out, slice_from_string(suffix));
    if (labels.size > 0 || le != NULL) {
        buffer_append_byte(out, '{');
        buffer_append_slice(out, labels);
        if (le != NULL)
            buffer_printf(out, "%sle=\"%s\"", labels.size > 0 ? "," : "", le);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ' ');
}

static void print_seconds(struct buffer *out, int64_t us)
{
    uint64_t size = us < 0 ? (uint64_t)-us : (uint64_t)us;
    buffer_printf(out, "%s%llu.%06llu\n", us < 0 ? "-" : "",
                  (unsigned long long)(size / 1000000),
                  (unsigned long long)(size % 1000000));
}

static void render_histogram(const struct family *family, const struct series *series,
                             struct buffer *out)
{
    uint64_t counts[METRIC_BUCKETS] = {0};
    uint64_t sum_us = 0, total = 0;

    for (int i = 0; i < series->cell_count; i++) {
        struct metric_histogram *cell = series->cells[i];
        if (cell == NULL)
            continue;
        for (unsigned b = 0; b < METRIC_BUCKETS; b++)
            counts[b] += word_read(&cell->buckets[b]);
        sum_us += word_read(&cell->sum_us);
    }
    for (unsigned b = 0; b < METRIC_BUCKETS; b++) {
        total += counts[b];
        print_sample(out, family->name, "_bucket", series->labels, bounds_text[b]);
        buffer_printf(out, "%llu\n", (unsigned long long)total);
    }
    print_sample(out, family->name, "_sum", series->labels, NULL);
    print_seconds(out, (int64_t)sum_us);
    /* The count is that of the buckets, not the cell's own: an observation
     * caught half way must not make +Inf and _count differ. */
    print_sample(out, family->name, "_count", series->labels, NULL);
    buffer_printf(out, "%llu\n", (unsigned long long)total);
}

static void render_series(const struct family *family, const struct series *series,
                          struct buffer *out)
{
    if (family->type == METRIC_HISTOGRAM) {
        render_histogram(family, series, out);
        return;
    }
    uint64_t sum = 0;
    for (int i = 0; i < series->cell_count; i++) {
        struct metric_cell *cell = series->cells[i];
        if (cell != NULL)
            sum += word_read(&cell->value);
    }
    print_sample(out, family->name, "", series->labels, NULL);
    if (family->in_us)
        print_seconds(out, (int64_t)sum);
    else if (family->type == METRIC_GAUGE)
        buffer_printf(out, "%lld\n", (long long)sum);
    else
        buffer_printf(out, "%llu\n", (unsigned long long)sum);
}

static void render_head(struct buffer *out, struct slice name, const char *help,
                        const char *type)
{
    buffer_printf(out, "# HELP %.*s ", SLICE_ARG(name));
    for (; *help != '\0'; help++) {
        if (*help == '\n')
            buffer_append(out, "\\n", 2);
        else if (*help == '\\')
            buffer_append(out, "\\\\", 2);
        else
            buffer_append_byte(out, *help);
    }
    buffer_printf(out, "\n# TYPE %.*s %s\n", SLICE_ARG(name), type);
}

void metrics_render(struct metrics *metrics, struct buffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    unsigned breath = 0;

    /* Families and series are only ever added and never move, so a walk may
     * let go of the lock between two of them. */
    pthread_mutex_lock(&metrics->lock);
    for (struct family *family = metrics->families; family != NULL; family = family->next) {
        if (family->first == NULL)
            continue;
        render_head(out, family->name, family->help, types[family->type]);
        for (struct series *series = family->first; series != NULL; series = series->next) {
            render_series(family, series, out);
            if (++breath % SERIES_BREATH == 0) {
                pthread_mutex_unlock(&metrics->lock);
                pthread_mutex_lock(&metrics->lock);
            }
        }
    }
    uint64_t dropped = metrics->dropped;
    pthread_mutex_unlock(&metrics->lock);

    render_head(out, SLICE("gw_metrics_series_dropped_total"),
                "Series counted as _other because of the cap on series.", "counter");
    buffer_printf(out, "gw_metrics_series_dropped_total %llu\n",
                  (unsigned long long)dropped);
}
