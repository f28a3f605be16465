/* A cache of one name. Several exchanges wait for one lookup. */
#include "node/proxy/resolve.h"

#include "node/proxy/attempt.h"
#include "node/proxy/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#define ADDRESSES_MAX 8

struct resolver {
    struct worker *worker;
    struct address_lookup lookup;
    bool is_running;
    uint64_t fresh_until_ms;
    struct address addresses[ADDRESSES_MAX];
    unsigned count, next;
    struct list_link waiters; /* struct exchange, by `waiting` */
    char text[ADDRESS_HOST_SIZE + 8];
};

struct resolver *resolver_new(struct worker *worker, struct slice host, uint16_t port)
{
    if (host.size >= ADDRESS_HOST_SIZE)
        return NULL;
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return NULL;
    resolver->worker = worker;
    list_init(&resolver->waiters);
    snprintf(resolver->text, sizeof resolver->text, "%.*s:%u", SLICE_ARG(host),
             (unsigned)port);
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    free(resolver);
}

bool resolver_is_quiet(const struct resolver *resolver)
{
    return resolver == NULL || !resolver->is_running;
}

void resolver_cancel(struct resolver *resolver)
{
    if (resolver != NULL && resolver->is_running)
        address_resolve_cancel(&resolver->lookup);
}

static void take_answer(struct resolver *resolver, const struct address *addresses,
                        size_t count)
{
    resolver->is_running = false;
    /* After a failure the old answer stays, and is asked for again a little later. */
    resolver->fresh_until_ms =
        core_now_ms(resolver->worker) + (count > 0 ? RESOLVE_KEEP_MS : 1000);
    if (count == 0)
        return;
    if (count > ADDRESSES_MAX)
        count = ADDRESSES_MAX;
    memcpy(resolver->addresses, addresses, count * sizeof addresses[0]);
    resolver->count = (unsigned)count;
}

static void on_resolved(struct address_lookup *lookup, const struct address *addresses,
                        size_t count, const struct error *err)
{
    struct resolver *resolver = lookup->owner;
    struct list_link waiters;
    struct list_link *link;
    (void)err;
    take_answer(resolver, addresses, count);
    list_init(&waiters);
    list_move_all(&waiters, &resolver->waiters);
    while ((link = list_take_first(&waiters)) != NULL) {
        struct exchange *exchange = container_of(link, struct exchange, waiting);
        if (resolver->count == 0)
            attempt_resolved(exchange, NULL);
        else
            attempt_resolved(exchange,
                             &resolver->addresses[resolver->next++ % resolver->count]);
    }
}

enum resolver_result resolver_get(struct resolver *resolver, struct exchange *exchange,
                                  struct address *ret_address)
{
    uint64_t now_ms = core_now_ms(resolver->worker);
    if (!resolver->is_running && resolver->fresh_until_ms <= now_ms) {
        struct error err;
        resolver->is_running = true;
        if (address_resolve(&resolver->worker->uv, &resolver->lookup,
                            slice_from_string(resolver->text), on_resolved, resolver,
                            &err) != GW_OK)
            take_answer(resolver, NULL, 0);
    }
    if (resolver->count > 0) { /* perhaps old, while the new one is on its way */
        *ret_address = resolver->addresses[resolver->next++ % resolver->count];
        return RESOLVER_READY;
    }
    if (!resolver->is_running)
        return RESOLVER_UNKNOWN;
    if (exchange != NULL)
        list_append(&resolver->waiters, &exchange->waiting);
    return RESOLVER_WAITS;
}
