/* The event loop of the simulation, and its beginning and end. */
#include "tests/sim/sim.h"

#include "base/hash.h"
#include "raft/conf.h"
#include "raft/system.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* After the last fault: to come together again, to fall silent, to stay so. */
#define TOGETHER_US    7000000
#define SILENT_US      3000000
#define IDLE_US        2000000
#define VIOLATIONS_MAX 4

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

void sim_push(struct sim *sim, struct sim_event event)
{
    size_t i;

    if (sim->heap_count + 2 > sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity * 2 + 256;
        sim->heap = realloc(sim->heap, sim->heap_capacity * sizeof *sim->heap);
        if (sim->heap == NULL)
            abort();
    }
    event.order = ++sim->heap_order;
    for (i = ++sim->heap_count; i > 1 && is_before(&event, &sim->heap[i / 2]); i /= 2)
        sim->heap[i] = sim->heap[i / 2];
    sim->heap[i] = event;
}

static bool sim_pop(struct sim *sim, struct sim_event *ret_event)
{
    if (sim->heap_count == 0)
        return false;
    *ret_event = sim->heap[1];
    struct sim_event last = sim->heap[sim->heap_count--];
    size_t i = 1, child;
    for (; (child = 2 * i) <= sim->heap_count; i = child) {
        if (child < sim->heap_count && is_before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!is_before(&sim->heap[child], &last))
            break;
        sim->heap[i] = sim->heap[child];
    }
    sim->heap[i] = last;
    return true;
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high)
{
    return rng_between(&sim->rng, low, high);
}

bool sim_chance(struct sim *sim, unsigned per_mille)
{
    return rng_chance(&sim->rng, per_mille);
}

struct sim_node *sim_leader(struct sim *sim)
{
    struct sim_node *leader = NULL;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->is_alive && node->was_leader &&
            (leader == NULL || node->view.term > leader->view.term))
            leader = node;
    }
    return leader;
}

struct sim_node *sim_node_of(struct sim *sim, uint64_t id)
{
    for (int i = 1; id != 0 && i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].id == id)
            return &sim->nodes[i];
    }
    return NULL;
}

void sim_violation(struct sim *sim, const char *format, ...)
{
    va_list args;

    printf("VIOLATION seed %llu at %.6f s: ", (unsigned long long)sim->schedule->seed,
           (double)sim->now_us / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    if (++sim->violations >= VIOLATIONS_MAX)
        _Exit(1);
}

void sim_say(struct sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim->is_loud)
        return;
    printf("%11.6f ", (double)sim->now_us / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void trace(struct sim *sim, const struct sim_event *event)
{
    uint64_t words[4] = {event->at_us, (uint64_t)event->type, (uint64_t)event->node,
                         event->size};

    for (unsigned i = 0; i < 4; i++) {
        sim->trace = (sim->trace ^ words[i]) * 0x9e3779b97f4a7c15u;
        sim->trace ^= sim->trace >> 29;
    }
}

/* ---- the beginning ---- */

/* Every founder begins with the same log: the configuration, then the commands that make
 * the cluster and its members. Their ids are the indices of those. */
static void found(struct sim *sim)
{
    unsigned count = sim->schedule->founders;
    struct store_entry entries[SCHEDULE_SLOTS + 1];
    struct buffer commands[SCHEDULE_SLOTS + 1];
    const struct command_header header = {.wall_ms = 1};
    struct raft_configuration conf;
    struct error err = ERROR_NONE;

    raft_configuration_init(&conf);
    for (unsigned i = 0; i < count; i++) {
        char address[16];
        sim->nodes[i + 1].id = i == 0 ? 1 : 2 + i;
        snprintf(address, sizeof address, "%u", i == 0 ? 1 : 2 + i);
        if (raft_configuration_add(&conf, sim->nodes[i + 1].id, address, RAFT_VOTER) != 0)
            abort();
        buffer_init(&commands[i], 0);
        churn_founding((int)i + 1, &commands[i]);
    }
    buffer_init(&commands[count], 0);
    if (!format_encode(&commands[count], &header, FORMAT_NEWEST))
        abort();
    for (unsigned i = 0; i <= count; i++)
        entries[i] = (struct store_entry){.type = STORE_COMMAND,
                                          .bytes = buffer_slice(&commands[i])};
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    for (unsigned i = 1; i <= count; i++) {
        if (store_bootstrap(sim->nodes[i].env, bytes, entries, count + 1, &err) != GW_OK) {
            printf("bootstrap: %s\n", err.text);
            abort();
        }
    }
    free((void *)(uintptr_t)bytes.data);
    for (unsigned i = 0; i <= count; i++)
        buffer_deinit(&commands[i]);
}

static struct sim *sim_new(const struct schedule *schedule, bool is_loud)
{
    struct sim *sim = calloc(1, sizeof *sim);

    if (sim == NULL)
        abort();
    sim->schedule = schedule;
    sim->is_loud = is_loud;
    sim->is_fifo = schedule->is_fifo;
    sim->active = calloc(schedule->count + 1, sizeof *sim->active);
    sim->victims = calloc(schedule->count + 1, sizeof *sim->victims);
    if (sim->active == NULL || sim->victims == NULL)
        abort();
    if (schedule->plant != NULL)
        setenv("GW_PLANT", schedule->plant, 1);
    else
        unsetenv("GW_PLANT");
    rng_init(&sim->rng, schedule->seed);
    hash_key_set(1, 2);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        sim->nodes[i] = (struct sim_node){.sim = sim,
                                          .slot = i,
                                          .env = crash_env_new(),
                                          .clock_us = (uint64_t)i * 1234567,
                                          .disk_low_us = 100,
                                          .disk_high_us = 1000};
        sim->nodes[i].fsm =
            (struct fsm){.types = cluster_commands, .type_count = cluster_command_count};
    }
    network_shape(sim);
    return sim;
}

static void begin(struct sim *sim)
{
    const struct schedule *schedule = sim->schedule;

    found(sim);
    for (int i = 1; i <= (int)schedule->founders; i++)
        node_boot(&sim->nodes[i]);
    for (int i = 1; i <= SIM_CLIENTS; i++) {
        sim->clients[i].node = (int)sim_between(sim, 1, schedule->founders);
        sim->clients[i].operation = NO_OPERATION;
        sim_push(sim, (struct sim_event){.at_us = sim_between(sim, 0, 500000),
                                         .type = SIM_CLIENT,
                                         .node = i});
    }
    sim_push(sim, (struct sim_event){.at_us = 1000000, .type = SIM_OPERATOR});
    for (size_t i = 0; i < schedule->count; i++)
        sim_push(sim, (struct sim_event){.at_us = schedule->faults[i].at_ms * 1000,
                                         .type = SIM_FAULT,
                                         .node = (int)i});
    sim_push(sim,
             (struct sim_event){.at_us = schedule->seconds * 1000000, .type = SIM_HEAL});
}

/* ---- the end ---- */

static void heal(struct sim *sim)
{
    sim->is_healing = true;
    sim_say(sim, "-- all faults end");
    fault_end_all(sim);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++)
        sim_push(sim, (struct sim_event){
                          .at_us = sim->now_us + 1000, .type = SIM_RESTART, .node = i});
    sim_push(sim,
             (struct sim_event){.at_us = sim->now_us + TOGETHER_US, .type = SIM_QUIET});
}

/* First nobody asks any more; then, what is still written nobody asked for. */
static void quieten(struct sim *sim)
{
    if (!sim->is_quiet) {
        sim->is_quiet = true;
        sim_push(sim,
                 (struct sim_event){.at_us = sim->now_us + SILENT_US, .type = SIM_QUIET});
        return;
    }
    check_quiet(sim);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + IDLE_US, .type = SIM_END});
}

static void run_events(struct sim *sim)
{
    struct sim_event event;

    while (sim_pop(sim, &event)) {
        sim->now_us = event.at_us;
        sim->counts.events++;
        trace(sim, &event);
        switch (event.type) {
        case SIM_CLIENT:
            client_turn(sim, event.node);
            event.at_us = sim->now_us + sim_between(sim, 5000, 80000);
            sim_push(sim, event);
            break;
        case SIM_READ:
            client_read(sim, event.node, event.from, event.size);
            break;
        case SIM_OPERATOR:
            churn_turn(sim);
            event.at_us = sim->now_us + 100000;
            sim_push(sim, event);
            break;
        case SIM_FAULT:
            if (sim->is_healing)
                break;
            fault_begin(sim, (size_t)event.node);
            check_logs(sim);
            break;
        case SIM_FAULT_END:
            fault_end(sim, (size_t)event.node);
            break;
        case SIM_HEAL:
            heal(sim);
            break;
        case SIM_QUIET:
            quieten(sim);
            break;
        case SIM_END:
            check_logs(sim);
            check_end(sim);
            client_check_end(sim);
            return;
        default:
            node_event(&sim->nodes[event.node], &event);
            free(event.bytes);
            break;
        }
    }
}

static void say_totals(const struct sim *sim)
{
    const struct sim_counts *counts = &sim->counts;

    printf("seed %llu founders %u events %llu acks %llu reads %llu crashes %llu elections "
           "%llu changes %llu snapshots %llu dumps %llu installed %llu messages %llu index "
           "%llu violations %d trace %016llx\n",
           (unsigned long long)sim->schedule->seed, sim->schedule->founders,
           (unsigned long long)counts->events, (unsigned long long)counts->acks,
           (unsigned long long)counts->reads, (unsigned long long)counts->crashes,
           (unsigned long long)counts->elections, (unsigned long long)counts->changes,
           (unsigned long long)counts->snapshots, (unsigned long long)counts->dumps,
           (unsigned long long)counts->installs, (unsigned long long)counts->messages,
           (unsigned long long)sim->highest_committed, sim->violations,
           (unsigned long long)sim->trace);
}

static void dissolve(struct sim *sim)
{
    struct sim_event event;

    while (sim_pop(sim, &event))
        free(event.bytes);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++)
        crash_env_free(sim->nodes[i].env);
    history_deinit(&sim->history);
    free(sim->heap);
    free(sim->indices);
    free(sim->leaders);
    free(sim->active);
    free(sim->victims);
    free(sim);
}

int sim_run(const struct schedule *schedule, bool is_loud, struct sim_counts *ret_counts)
{
    struct sim *sim = sim_new(schedule, is_loud);

    begin(sim);
    run_events(sim);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++)
        node_crash(&sim->nodes[i], CRASH_PROCESS);
    say_totals(sim);
    int violations = sim->violations;
    *ret_counts = sim->counts;
    dissolve(sim);
    return violations;
}
