/* An array with a format number in front, as raft/node_record.c has them. What is armed
 * is an array too: there are a handful, for minutes. */
#include "raft/fault.h"

#include "store/unpack.h"

#include <stdio.h>

#define ACTOR_LIMIT 255

static const char *const names[FAULT_KINDS] = {
    [FAULT_LINK] = "link", [FAULT_STORE] = "store", [FAULT_UPSTREAM] = "upstream"};

void fault_id(char out[FAULT_ID_SIZE], uint64_t wall_ms, struct rng *rng)
{
    snprintf(out, FAULT_ID_SIZE, "%llx-%08lx", (unsigned long long)wall_ms,
             (unsigned long)(rng_next(rng) >> 32));
}

const char *fault_kind_name(enum fault_kind kind)
{
    return names[kind];
}

enum fault_kind fault_kind_of(struct slice name)
{
    for (int kind = 1; kind < FAULT_KINDS; kind++) {
        if (slice_equal(name, slice_from_string(names[kind])))
            return (enum fault_kind)kind;
    }
    return (enum fault_kind)0;
}

void fault_record_pack(struct buffer *out, const struct fault_record *record)
{
    pack_array(out, 12);
    pack_u64(out, 1);
    pack_u64(out, record->kind);
    pack_u64(out, record->node);
    pack_u64(out, record->peer);
    pack_u64(out, record->directions);
    pack_u64(out, record->delay_ms);
    pack_text(out, record->service);
    pack_text(out, record->endpoint);
    pack_u64(out, record->for_ms);
    pack_u64(out, record->at_ms);
    pack_text(out, record->actor);
    pack_text(out, record->reason);
}

bool fault_record_unpack(struct slice bytes, struct fault_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct fault_record record = {0};

    unpack_array(&in, 12);
    if (unpack_u64(&in) != 1)
        return false;
    record.kind = (enum fault_kind)unpack_u64_max(&in, FAULT_KINDS - 1);
    record.node = unpack_u64(&in);
    record.peer = unpack_u64(&in);
    record.directions = (unsigned)unpack_u64_max(&in, FAULT_IN | FAULT_OUT);
    record.delay_ms = unpack_u64_max(&in, FAULT_DELAY_MAX_MS);
    record.service = unpack_text(&in, FAULT_NAME_SIZE - 1);
    record.endpoint = unpack_text(&in, FAULT_NAME_SIZE - 1);
    record.for_ms = unpack_u64_max(&in, FAULT_FOR_MAX_MS);
    record.at_ms = unpack_u64(&in);
    record.actor = unpack_text(&in, ACTOR_LIMIT);
    record.reason = unpack_text(&in, FAULT_REASON_LIMIT);
    if (!unpack_done(&in) || record.kind == 0 || record.for_ms == 0)
        return false;
    *ret_record = record;
    return true;
}

/* ---- what is armed ---- */

void faults_begin(struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        faults->items[i].is_seen = false;
}

const struct fault *faults_see(struct faults *faults, uint64_t id,
                               const struct fault_record *record, uint64_t now_ms,
                               uint64_t wall_ms, bool is_start)
{
    bool is_late = wall_ms > record->at_ms && wall_ms - record->at_ms > record->for_ms;

    if (record->node != 0 && record->node != faults->node)
        return NULL;
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->items[i].id == id) {
            faults->items[i].is_seen = true;
            return NULL;
        }
    }
    if (faults->count == FAULTS_MAX)
        return NULL;
    struct fault *fault = &faults->items[faults->count++];
    *fault = (struct fault){.id = id,
                            .kind = record->kind,
                            .peer = record->peer,
                            .delay_ms = record->delay_ms,
                            .directions = record->directions,
                            .is_seen = true};
    snprintf(fault->service, sizeof fault->service, "%.*s", SLICE_ARG(record->service));
    snprintf(fault->endpoint, sizeof fault->endpoint, "%.*s", SLICE_ARG(record->endpoint));
    if (is_start || is_late)
        return NULL;
    fault->until_ms = now_ms + record->for_ms;
    return fault;
}

bool faults_end(struct faults *faults)
{
    bool has_gone = false;
    size_t kept = 0;

    for (size_t i = 0; i < faults->count; i++) {
        if (faults->items[i].is_seen)
            faults->items[kept++] = faults->items[i];
        else
            has_gone |= faults->items[i].until_ms != 0;
    }
    faults->count = kept;
    return has_gone;
}

bool faults_lapse(struct faults *faults, uint64_t now_ms)
{
    bool has_lapsed = false;

    for (size_t i = 0; i < faults->count; i++) {
        if (faults->items[i].until_ms == 0 || faults->items[i].until_ms > now_ms)
            continue;
        faults->items[i].until_ms = 0;
        has_lapsed = true;
    }
    return has_lapsed;
}

size_t faults_armed(const struct faults *faults, enum fault_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < faults->count; i++)
        count += faults->items[i].kind == kind && faults->items[i].until_ms != 0;
    return count;
}

/* ---- orders ---- */

void faults_orders(const struct faults *faults, struct fault_orders *ret_orders)
{
    memset(ret_orders, 0, sizeof *ret_orders);
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        if (fault->until_ms == 0)
            continue;
        if (fault->kind == FAULT_LINK)
            ret_orders->cuts[ret_orders->cut_count++] =
                (struct fault_cut){fault->peer, fault->directions, fault->until_ms};
        /* Of several the longest delay counts, for as long as that one lasts. */
        if (fault->kind == FAULT_STORE && fault->delay_ms > ret_orders->delay_ms) {
            ret_orders->delay_ms = fault->delay_ms;
            ret_orders->delay_until_ms = fault->until_ms;
        }
    }
}

static bool is_named(const char *name, struct slice text)
{
    return name[0] == '\0' || slice_equal(slice_from_string(name), text);
}

uint64_t faults_hole(const struct faults *faults, struct slice service,
                     struct slice endpoint)
{
    uint64_t until_ms = 0;

    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];
        if (fault->kind == FAULT_UPSTREAM && fault->until_ms > until_ms &&
            is_named(fault->service, service) && is_named(fault->endpoint, endpoint))
            until_ms = fault->until_ms;
    }
    return until_ms;
}

unsigned fault_cuts_of(const struct fault_cut *cuts, size_t count, uint64_t peer,
                       uint64_t now_ms)
{
    unsigned directions = 0;

    for (size_t i = 0; i < count; i++) {
        if (now_ms < cuts[i].until_ms && (cuts[i].peer == 0 || cuts[i].peer == peer))
            directions |= cuts[i].directions;
    }
    return directions;
}
