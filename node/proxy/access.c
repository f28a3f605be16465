/* Lines of the access log.
 *
 * A line has a limit, since a pipe takes no more at once: what a client sends is cut
 * to a length of its own, and what then still does not fit is left out, never the
 * end of the line. Costs a microsecond, most of it for the request's part. */
#include "node/proxy/access.h"

#include "base/instant.h"
#include "node/observe/access_log.h"
#include "node/proxy/forwarded.h"

#define REQUEST_MAX 3000u /* bytes of the request's part */
#define TARGET_MAX  1500u /* bytes of a value, before they are escaped */
#define VALUE_MAX   256u
#define HIDDEN      SLICE("***")

struct line {
    char *data;
    size_t size, capacity;
    bool is_json;
};

/* ---- values ---- */

static void put(struct line *line, struct slice s)
{
    if (s.size > line->capacity - line->size)
        return;
    if (s.size > 0)
        memcpy(line->data + line->size, s.data, s.size);
    line->size += s.size;
}

/* A piece of a value. In JSON bytes above 0x7f are told by number, as Latin-1: what
 * a client sends need not be UTF-8, and a line must be. */
static void put_escaped(struct line *line, struct slice s)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (line->capacity - line->size < 8)
            return;
        if (c == '"' || c == '\\') {
            line->data[line->size++] = '\\';
            line->data[line->size++] = (char)c;
        } else if (c >= ' ' && c < 0x7f) {
            line->data[line->size++] = (char)c;
        } else {
            memcpy(line->data + line->size, "\\u00", 4);
            line->data[line->size + 4] = digits[c >> 4];
            line->data[line->size + 5] = digits[c & 15];
            line->size += 6;
        }
    }
}

static void put_u64(struct line *line, uint64_t value)
{
    char text[20], *at = text + sizeof text;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(line, slice_of(at, (size_t)(text + sizeof text - at)));
}

static void put_key(struct line *line, struct slice key)
{
    if (line->is_json) {
        put(line, line->size == 0 ? SLICE("{\"") : SLICE(",\""));
        put(line, key);
        put(line, SLICE("\":"));
    } else {
        if (line->size > 0)
            put(line, SLICE(" "));
        put(line, key);
        put(line, SLICE("="));
    }
}

/* Without a word of their own in JSON they need quotes; in text when they hold
 * anything that would end them. */
static void put_text(struct line *line, struct slice key, struct slice value, size_t most)
{
    /* Room for the key, the worst of the value, and the rest of the line. */
    if (line->capacity - line->size < key.size + 16)
        return;
    put_key(line, key);
    bool is_quoted = line->is_json || value.size == 0;
    value = slice_sub(value, 0, most);
    for (size_t i = 0; i < value.size && !is_quoted; i++)
        is_quoted = value.data[i] <= ' ' || value.data[i] >= 0x7f || value.data[i] == '"' ||
                    value.data[i] == '\\' || value.data[i] == '=';
    if (is_quoted)
        put(line, SLICE("\""));
    line->capacity -= 1; /* for the quote */
    put_escaped(line, value);
    line->capacity += 1;
    if (is_quoted)
        put(line, SLICE("\""));
}

/* Absent rather than empty. */
static void put_some(struct line *line, struct slice key, struct slice value)
{
    if (value.size > 0)
        put_text(line, key, value, VALUE_MAX);
}

static void put_number(struct line *line, struct slice key, uint64_t value)
{
    put_key(line, key);
    put_u64(line, value);
}

/* Milliseconds with three decimals. */
static void put_ms(struct line *line, struct slice key, uint64_t us)
{
    char rest[4] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
                    (char)('0' + us % 10)};
    put_number(line, key, us / 1000);
    put(line, slice_of(rest, 4));
}

/* ---- what is hidden ---- */

static bool is_hidden(const struct access_names *names, struct slice name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (slice_equal_nocase(names->items[i], name))
            return true;
    return false;
}

static void add(struct line *line, struct slice s)
{
    put(line, slice_sub(s, 0, line->capacity - line->size));
}

/* A list of NAME=VALUE, the values of some not told: a query, or cookies. Into
 * `out`, of `room` bytes. Names of a query are compared as they were sent and, so
 * that an encoding hides nothing, any name with one in it counts as hidden. */
static struct slice hide_pairs(struct slice pairs, char separator,
                               const struct access_names *names, char *out, size_t room)
{
    struct line text = {.data = out, .capacity = room};
    bool is_first = true;
    while (pairs.size > 0) {
        size_t end = slice_find_byte(pairs, separator);
        struct slice pair = slice_sub(pairs, 0, end);
        pairs = end == SIZE_MAX ? (struct slice){NULL, 0} : slice_from(pairs, end + 1);
        size_t equals = slice_find_byte(pair, '=');
        struct slice name = slice_trim(slice_sub(pair, 0, equals));
        if (!is_first)
            add(&text, slice_of(&separator, 1));
        is_first = false;
        bool hides = equals != SIZE_MAX &&
                     (is_hidden(names, name) ||
                      (separator == '&' && slice_find_byte(name, '%') != SIZE_MAX));
        add(&text, hides ? slice_sub(pair, 0, equals + 1) : pair);
        if (hides)
            add(&text, HIDDEN);
    }
    return slice_of(text.data, text.size);
}

static struct slice told_target(const struct snapshot_settings *settings,
                                const struct http_message *message, char *out, size_t room)
{
    struct line text = {.data = out, .capacity = room};
    char query[TARGET_MAX];
    add(&text, message->path);
    if (message->query.data != NULL) {
        add(&text, SLICE("?"));
        add(&text, settings->log_hidden_query.count == 0
                       ? message->query
                       : hide_pairs(message->query, '&', &settings->log_hidden_query, query,
                                    sizeof query));
    }
    return slice_of(text.data, text.size);
}

static struct slice told_header(const struct snapshot_settings *settings,
                                const struct http_message *message, struct slice name,
                                char *out, size_t room)
{
    const struct http_header *header = message_find(message, name, NULL);
    if (header == NULL)
        return (struct slice){NULL, 0};
    if (is_hidden(&settings->log_hidden_headers, name))
        return HIDDEN;
    if (header->id == HTTP_HEADER_COOKIE && settings->log_hidden_cookies.count > 0)
        return hide_pairs(header->value, ';', &settings->log_hidden_cookies, out, room);
    return header->value;
}

/* ---- the request's part ---- */

void access_begin(struct exchange *exchange, const struct http_message *message)
{
    struct worker *worker = exchange->worker;
    const struct snapshot_settings *settings =
        snapshot_settings(exchange->serving->snapshot);
    char memory[REQUEST_MAX], value[TARGET_MAX];

    if (worker->access_log == NULL || !settings->access_log)
        return;
    exchange->is_sampled =
        settings->access_log_sample >= GW_SHARE_ALL ||
        rng_below(&worker->rng, GW_SHARE_ALL) < settings->access_log_sample;
    if (!exchange->is_sampled && settings->access_log_errors == 0)
        return;
    struct line line = {memory, 0, sizeof memory, settings->access_log_json};
    line.size = 1; /* so that a separator comes first */
    put_some(&line, SLICE("client_ip"), forwarded_client_ip(exchange->client, message));
    put_text(&line, SLICE("method"), message->method_name, VALUE_MAX);
    put_some(&line, SLICE("host"), message->host);
    put_text(&line, SLICE("path"), told_target(settings, message, value, sizeof value),
             TARGET_MAX);
    put_text(&line, SLICE("protocol"),
             message->minor == 0 ? SLICE("HTTP/1.0") : SLICE("HTTP/1.1"), VALUE_MAX);
    put_some(&line, SLICE("user_agent"),
             told_header(settings, message, SLICE("user-agent"), value, sizeof value));
    for (uint32_t i = 0; i < settings->log_headers.count; i++) {
        char key[80] = "header_";
        struct slice name = settings->log_headers.items[i];
        size_t size = 7;
        for (size_t k = 0; k < name.size && size < sizeof key; k++)
            key[size++] = name.data[k] == '-' ? '_' : name.data[k];
        put_some(&line, slice_of(key, size),
                 told_header(settings, message, name, value, sizeof value));
    }
    exchange->log_part = arena_copy(&exchange->arena, slice_of(memory + 1, line.size - 1));
}

/* ---- the line ---- */

static void begin_line(struct line *line, struct worker *worker,
                       const struct snapshot *snapshot, struct slice request_id)
{
    char time[INSTANT_TEXT_SIZE];
    instant_format(core_wall_ms(worker), time);
    put_text(line, SLICE("ts"), slice_from_string(time), VALUE_MAX);
    put_some(line, SLICE("node"), snapshot_node_name(snapshot));
    put_some(line, SLICE("region"), snapshot_node_region(snapshot));
    put_some(line, SLICE("request_id"), request_id);
}

static void end_line(struct line *line, struct worker *worker)
{
    line->capacity += 2;
    put(line, line->is_json ? SLICE("}\n") : SLICE("\n"));
    if (access_log_put(worker->access_log, worker->number,
                       slice_of(line->data, line->size)))
        metric_add(worker->log_written, 1);
}

static void put_target(struct line *line, const struct exchange *exchange)
{
    const struct target_service *service = exchange->service->target;
    put_some(line, SLICE("service"), service->name);
    if (exchange->attempt_us == 0)
        return;
    put_some(line, SLICE("endpoint"), service->endpoints[exchange->endpoint_index].name);
    put_some(line, SLICE("endpoint_region"),
             service->endpoints[exchange->endpoint_index].region);
    put_number(line, SLICE("attempts"), exchange->retries + 1u);
    if (exchange->took_us > 0)
        put_ms(line, SLICE("upstream_ms"), exchange->took_us);
}

void access_end(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    const struct snapshot *snapshot = exchange->serving->snapshot;
    const struct snapshot_settings *settings = snapshot_settings(snapshot);
    char memory[ACCESS_LOG_LINE_MAX];

    if (exchange->log_part.size == 0)
        return;
    bool has_failed = exchange->reason != REASON_NONE || exchange->status >= 500;
    if (!exchange->is_sampled && (!has_failed || rng_below(&worker->rng, GW_SHARE_ALL) >=
                                                     settings->access_log_errors))
        return;
    struct line line = {memory, 0, sizeof memory - 2, settings->access_log_json};
    begin_line(&line, worker, snapshot, exchange->request_id);
    put(&line, exchange->log_part);
    put_number(&line, SLICE("status"), exchange->status);
    if (exchange->reason != REASON_NONE)
        put_some(&line, SLICE("reason"), reason_text((enum reason)exchange->reason)->word);
    if (exchange->plan != NULL)
        put_some(&line, SLICE("route"), exchange->plan->route);
    if (exchange->service != NULL)
        put_target(&line, exchange);
    put_ms(&line, SLICE("duration_ms"), instant_monotonic_us() - exchange->started_us);
    put_number(&line, SLICE("bytes_in"), exchange->body_size);
    put_number(&line, SLICE("bytes_out"), exchange->answer_size);
    put_number(&line, SLICE("config_revision"), exchange->serving->revision);
    end_line(&line, worker);
}

void access_malformed(struct client *client, unsigned status, enum reason reason,
                      struct slice request_id)
{
    struct worker *worker = client->worker;
    const struct serving *serving = client->acceptor->serving;
    const struct snapshot_settings *settings = snapshot_settings(serving->snapshot);
    char memory[ACCESS_LOG_LINE_MAX];

    if (worker->access_log == NULL || !settings->access_log ||
        rng_below(&worker->rng, GW_SHARE_ALL) >= settings->access_log_errors)
        return;
    struct line line = {memory, 0, sizeof memory - 2, settings->access_log_json};
    begin_line(&line, worker, serving->snapshot, request_id);
    put_some(&line, SLICE("client_ip"), client_ip(client));
    put_number(&line, SLICE("status"), status);
    put_some(&line, SLICE("reason"), reason_text(reason)->word);
    put_number(&line, SLICE("config_revision"), serving->revision);
    end_line(&line, worker);
}

void access_sweep(struct worker *worker)
{
    if (worker->access_log != NULL)
        metric_add(worker->log_lost,
                   access_log_take_lost(worker->access_log, worker->number));
}
