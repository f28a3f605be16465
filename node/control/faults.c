/* Arming is told to three: the member drops frames, its store waits, and the board says
 * which endpoints never answer. Each of them has the end by the clock and looks at it by
 * itself, so a fault ends also where this loop is held up. */
#include "node/control/faults.h"

#include "base/instant.h"
#include "base/log.h"
#include "raft/system.h"

/* ---- arming ---- */

/* Endpoints that take calls and never answer: until when, 0 for all others. */
static void tell_board(struct control *control)
{
    const struct snapshot *snapshot = control->publish.current;
    bool has_holes = faults_armed(&control->faults, FAULT_UPSTREAM) != 0;

    if ((!has_holes && !control->has_holes) || snapshot == NULL)
        return;
    for (uint32_t i = 0; i < snapshot_service_count(snapshot); i++) {
        const struct target_service *service = snapshot_service_at(snapshot, i);
        for (uint32_t k = 0; k < service->endpoint_count; k++) {
            const struct target_endpoint *endpoint = &service->endpoints[k];
            board_slot_hole_set(
                endpoint->board,
                faults_hole(&control->faults, service->name, endpoint->name));
        }
    }
    control->has_holes = has_holes;
}

void faults_tell(struct control *control)
{
    struct fault_orders orders;

    faults_orders(&control->faults, &orders);
    if (control->member != NULL)
        member_faults_set(control->member, &orders);
    tell_board(control);
}

struct look {
    struct control *control;
    bool is_start, is_news;
};

static bool see(void *owner, struct slice key, const struct record *record)
{
    struct look *look = owner;
    struct control *control = look->control;
    struct fault_record fault;

    if (!fault_record_unpack(record->value, &fault))
        return true;
    const struct fault *armed =
        faults_see(&control->faults, record->create_revision, &fault,
                   control_now_ms(control), instant_wall_ms(), look->is_start);
    if (armed == NULL)
        return true;
    look->is_news = true;
    log_event(LOG_WARN, "faults", "fault armed",
              LOG_SLICE("id", slice_from(key, FAULT_PREFIX.size)),
              LOG_STR("kind", fault_kind_name(fault.kind)), LOG_U64("for_ms", fault.for_ms),
              LOG_SLICE("by", fault.actor), LOG_SLICE("reason", fault.reason));
    return true;
}

void faults_follow(struct control *control, bool is_start)
{
    struct look look = {.control = control, .is_start = is_start};
    struct txn *txn;

    control->faults.node = control->options.identity.node_id;
    if (env_begin_read(control->env, &txn) != GW_OK)
        return;
    faults_begin(&control->faults);
    record_walk(txn, FAULT_PREFIX, see, &look);
    txn_abort(txn);
    bool has_gone = faults_end(&control->faults);
    if (has_gone)
        log_event(LOG_WARN, "faults", "fault revoked");
    if (look.is_news || has_gone)
        faults_tell(control);
}

/* ---- records that are over ---- */

struct over {
    uint64_t wall_ms, revision;
    struct buffer key;
};

static bool find_over(void *owner, struct slice key, const struct record *record)
{
    struct over *over = owner;
    struct fault_record fault;

    if (fault_record_unpack(record->value, &fault) &&
        over->wall_ms < fault.at_ms + fault.for_ms + 1000)
        return true;
    buffer_append_slice(&over->key, key);
    over->revision = record->mod_revision;
    return false;
}

/* Whether it worked or not: the next look will tell. */
static void tidied(struct control_call *call)
{
    call->control->is_tidying_faults = false;
    control_call_free(call);
}

bool faults_propose_delete(struct control *control, struct slice key, uint64_t revision,
                           struct slice actor, control_call_fn done, void *owner)
{
    const struct command_header header = {.wall_ms = instant_wall_ms(), .actor = actor};
    const struct system_item item = {
        .key = key, .expected_mod_revision = revision, .is_delete = true};
    struct buffer command;

    buffer_init(&command, 4096);
    bool is_sent =
        system_encode(&command, &header, &item, 1) &&
        control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, done, owner);
    buffer_deinit(&command);
    return is_sent;
}

/* By wall clocks: a fault is over by every node's own clock before, or ends with its
 * record. Nothing is ever prolonged by this. */
static void tidy(struct control *control)
{
    struct over over = {.wall_ms = instant_wall_ms()};
    struct txn *txn;

    if (control->is_tidying_faults || env_begin_read(control->env, &txn) != GW_OK)
        return;
    buffer_init(&over.key, 1024);
    record_walk(txn, FAULT_PREFIX, find_over, &over);
    txn_abort(txn);
    if (over.key.size != 0)
        control->is_tidying_faults =
            faults_propose_delete(control, buffer_slice(&over.key), over.revision,
                                  (struct slice){"", 0}, tidied, NULL);
    buffer_deinit(&over.key);
}

void faults_tick(struct control *control)
{
    if (faults_lapse(&control->faults, control_now_ms(control))) {
        log_event(LOG_WARN, "faults", "fault lapsed");
        faults_tell(control);
    } else {
        tell_board(control); /* a new configuration has new endpoints */
    }
    if (control_is_leader(control))
        tidy(control);
}
