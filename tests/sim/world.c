/* The event loop of the simulation, and its beginning and end. */
#include "tests/sim/sim.h"

#include "base/hash.h"
#include "raft/conf.h"
#include "raft/node_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTLE_US      12000000 /* after the last fault, to come together again */
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

bool sim_pop(struct sim *sim, struct sim_event *ret_event)
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

uint64_t sim_now_ms(const struct sim *sim)
{
    return sim->now_us / 1000 + 1;
}

void sim_violation(struct sim *sim, const char *format, ...)
{
    va_list args;

    printf("VIOLATION seed %llu at %.6f s: ", (unsigned long long)sim->options.seed,
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

    if (!sim->options.verbose)
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

    sim->trace = hash_stable_seeded(slice_of(words, sizeof words), sim->trace);
}

/* Every node begins with the same configuration: all of them voters. */
static void found(struct sim *sim)
{
    struct raft_configuration conf;
    struct error err = ERROR_NONE;

    raft_configuration_init(&conf);
    for (int i = 1; i <= sim->node_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        if (raft_configuration_add(&conf, (raft_id)i, name, RAFT_VOTER) != 0)
            abort();
    }
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    for (int i = 1; i <= sim->node_count; i++) {
        if (store_bootstrap(sim->nodes[i].env, bytes, NULL, 0, &err) != GW_OK) {
            printf("bootstrap: %s\n", err.text);
            abort();
        }
    }
    free((void *)(uintptr_t)bytes.data);
}

static void begin_end(struct sim *sim)
{
    sim->is_healing = true;
    fault_heal(sim);
    if (sim->options.majority_only) {
        for (int left = (sim->node_count - 1) / 2; left > 0;) {
            int id = (int)sim_between(sim, 1, (uint64_t)sim->node_count);
            if (sim->stays_down & 1u << id)
                continue;
            sim->stays_down |= 1u << id;
            left--;
            if (sim->nodes[id].is_alive)
                node_crash(&sim->nodes[id], false);
        }
    }
    for (int i = 1; i <= sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->is_alive && store_is_halted(node->store))
            node_crash(node, false);
        if (!node->is_alive && !(sim->stays_down & 1u << i))
            node_boot(node);
    }
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + SETTLE_US, .type = SIM_END});
}

static void run_events(struct sim *sim)
{
    struct sim_event event;

    while (sim_pop(sim, &event)) {
        sim->now_us = event.at_us;
        sim->events++;
        trace(sim, &event);
        switch (event.type) {
        case SIM_CLIENT:
            client_turn(sim, event.node);
            event.at_us = sim->now_us + sim_between(sim, 5000, 80000);
            sim_push(sim, event);
            break;
        case SIM_FAULT:
            if (sim->is_healing)
                break;
            fault_strike(sim);
            check_logs(sim);
            sim_push(sim, (struct sim_event){.at_us = sim->now_us +
                                                      sim_between(sim, 100000, 1500000),
                                             .type = SIM_FAULT});
            break;
        case SIM_RESTART:
            if (!sim->nodes[event.node].is_alive && !(sim->stays_down & 1u << event.node))
                node_boot(&sim->nodes[event.node]);
            break;
        case SIM_END:
            if (sim->is_healing) {
                check_logs(sim);
                check_end(sim);
                return;
            }
            begin_end(sim);
            break;
        default:
            node_event(&sim->nodes[event.node], &event);
            free(event.bytes);
            break;
        }
    }
}

/* Prints what the seed saw, frees everything; the number of violations. */
static int dissolve(struct sim *sim)
{
    int violations = sim->violations;
    struct sim_event event;

    for (int i = 1; i <= sim->node_count; i++) {
        if (sim->nodes[i].is_alive)
            node_crash(&sim->nodes[i], false);
        crash_env_free(sim->nodes[i].env);
    }
    printf("seed %llu nodes %d events %llu acks %llu reads %llu crashes %llu elections "
           "%llu snapshots %llu "
           "dumps %llu installed %llu messages %llu index %llu violations %d trace %016llx "
           "guards",
           (unsigned long long)sim->options.seed, sim->node_count,
           (unsigned long long)sim->events, (unsigned long long)sim->counts.acks,
           (unsigned long long)sim->counts.reads, (unsigned long long)sim->counts.crashes,
           (unsigned long long)sim->counts.elections,
           (unsigned long long)sim->counts.snapshots, (unsigned long long)sim->counts.dumps,
           (unsigned long long)sim->counts.installs,
           (unsigned long long)sim->counts.messages,
           (unsigned long long)sim->highest_committed, sim->violations,
           (unsigned long long)sim->trace);
    for (int i = 0; i < 11; i++)
        printf(" %llu", (unsigned long long)sim->counts.guard_hits[i]);
    printf("\n");
    while (sim_pop(sim, &event))
        free(event.bytes);
    free(sim->heap);
    free(sim->indices);
    free(sim->leaders);
    free(sim);
    return violations;
}

int sim_run(const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof *sim);

    if (sim == NULL)
        abort();
    sim->options = *options;
    rng_init(&sim->rng, options->seed);
    hash_key_set(1, 2);
    sim->node_count = options->seed % 3 == 1 ? 5 : options->seed % 3 == 2 ? 4 : 3;
    for (int i = 1; i <= sim->node_count; i++) {
        sim->nodes[i] = (struct sim_node){.sim = sim, .id = i, .env = crash_env_new()};
        sim->nodes[i].fsm =
            (struct fsm){.types = cluster_commands, .type_count = cluster_command_count};
    }
    found(sim);
    fault_heal(sim);
    for (int i = 1; i <= sim->node_count; i++)
        node_boot(&sim->nodes[i]);
    for (int i = 1; i <= SIM_CLIENTS; i++) {
        sim->clients[i].node = (int)sim_between(sim, 1, (uint64_t)sim->node_count);
        sim->clients[i].sequence = 1;
        sim_push(sim, (struct sim_event){.at_us = sim_between(sim, 0, 500000),
                                         .type = SIM_CLIENT,
                                         .node = i});
    }
    sim_push(sim, (struct sim_event){.at_us = 1500000, .type = SIM_FAULT});
    sim_push(sim, (struct sim_event){.at_us = options->seconds * 1000000, .type = SIM_END});
    run_events(sim);
    return dissolve(sim);
}
