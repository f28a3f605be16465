/* Every call takes stock of all servers, at most ROSTER_NODES, and then asks the
 * rules in order; the first that has an answer wins. So a change is always one
 * step towards what the rules after it want, whatever happened since the last
 * call. The price of one change at a time: a voter is replaced by way of an even
 * number of them, for as long as the second change takes. */
#include "raft/roster.h"

/* What is known of a server of Raft's configuration. */
struct seat {
    const struct replica_server *server;
    const struct roster_node *node; /* NULL: it has no record any more */
    bool is_voter, is_leader, is_here;
    bool is_leaving; /* a voter that shall not be one: no record, or a wish to stand by */
    bool is_lost;    /* a voter unseen for too long */
    bool is_ready;   /* a stand-by that may be promoted */
};

struct stock {
    const struct roster_options *options;
    struct seat seats[ROSTER_NODES];
    unsigned seat_count;
    unsigned voters, here; /* voters in all, and those that are there */
    unsigned staying;      /* voters neither leaving nor lost */
    unsigned ready;        /* stand-bys */
    unsigned target;
};

static const struct roster_change nothing = {ROSTER_NOTHING, 0, REPLICA_STANDBY};

void roster_reset(struct roster *roster)
{
    roster->count = 0;
}

static const struct replica_server *server_of(const struct replica_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->server_count; i++) {
        if (view->servers[i].id == id)
            return &view->servers[i];
    }
    return NULL;
}

static const struct roster_node *node_of(const struct roster_node *nodes, size_t count,
                                         uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].id == id)
            return &nodes[i];
    }
    return NULL;
}

/* What was known of a node the last time; its place in roster->nodes, or NULL. */
static size_t memory_of(struct roster *roster, uint64_t id, uint64_t now_ms)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (roster->nodes[i].id == id)
            return i;
    }
    if (roster->count == ROSTER_NODES)
        return ROSTER_NODES;
    roster->nodes[roster->count].id = id;
    roster->nodes[roster->count].caught_up_ms = 0;
    roster->nodes[roster->count].seen_ms = now_ms;
    return roster->count++;
}

/* Who is no server any more is forgotten: ids are never given again, so what is kept would
 * only grow. */
static void forget_gone(struct roster *roster, const struct replica_view *view)
{
    for (size_t i = 0; i < roster->count;) {
        if (server_of(view, roster->nodes[i].id) != NULL)
            i++;
        else
            roster->nodes[i] = roster->nodes[--roster->count];
    }
}

static bool wants_vote(const struct roster_node *node)
{
    return node->wish != ROSTER_STANDBY;
}

static bool is_named(const struct roster_node *node)
{
    return node->wish == ROSTER_VOTER || node->wish == ROSTER_WITNESS;
}

static unsigned largest_odd(unsigned n)
{
    return n == 0 ? 0 : n - (n % 2 == 0);
}

/* ---- taking stock ---- */

static void look_at(struct roster *roster, struct stock *stock, struct seat *seat,
                    const struct replica_view *view, uint64_t now_ms)
{
    const struct roster_options *options = stock->options;
    size_t at = memory_of(roster, seat->server->id, now_ms);
    bool is_near = seat->is_here && seat->server->match > 0 &&
                   seat->server->match + options->lag >= view->last;

    if (at == ROSTER_NODES)
        return;
    if (seat->is_here)
        roster->nodes[at].seen_ms = now_ms;
    if (!is_near)
        roster->nodes[at].caught_up_ms = 0;
    else if (roster->nodes[at].caught_up_ms == 0)
        roster->nodes[at].caught_up_ms = now_ms;

    uint64_t since = roster->nodes[at].caught_up_ms;
    uint64_t stable_ms = stock->voters < 3 ? options->grow_ms : options->stable_ms;
    seat->is_ready = seat->server->role == REPLICA_STANDBY && seat->node != NULL &&
                     wants_vote(seat->node) && since != 0 && now_ms - since >= stable_ms;
    seat->is_lost = seat->is_voter && !seat->is_leaving && !seat->is_here &&
                    now_ms - roster->nodes[at].seen_ms >= options->replace_ms;
}

static void take_stock(struct roster *roster, const struct roster_options *options,
                       const struct replica_view *view, const struct roster_node *nodes,
                       size_t node_count, uint64_t now_ms, struct stock *stock)
{
    unsigned willing = 0;

    *stock = (struct stock){.options = options};
    forget_gone(roster, view);
    for (size_t i = 0; i < node_count; i++)
        willing += wants_vote(&nodes[i]);
    stock->target = largest_odd(willing < options->voters ? willing : options->voters);
    for (unsigned i = 0; i < view->server_count; i++)
        stock->voters += view->servers[i].role == REPLICA_VOTER;
    for (unsigned i = 0; i < view->server_count && i < ROSTER_NODES; i++) {
        struct seat *seat = &stock->seats[stock->seat_count++];
        seat->server = &view->servers[i];
        seat->node = node_of(nodes, node_count, seat->server->id);
        seat->is_voter = seat->server->role == REPLICA_VOTER;
        seat->is_leader = seat->server->id == view->leader;
        /* Who has no record is refused at every link. */
        seat->is_here = seat->is_leader || (seat->node != NULL && seat->node->reachable);
        seat->is_leaving =
            seat->is_voter && (seat->node == NULL || !wants_vote(seat->node));
        look_at(roster, stock, seat, view, now_ms);
        stock->ready += seat->is_ready;
        stock->here += seat->is_voter && seat->is_here;
        stock->staying += seat->is_voter && !seat->is_leaving && !seat->is_lost;
    }
}

static unsigned voters_in(const struct stock *stock, uint64_t region)
{
    unsigned n = 0;

    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        n += seat->is_voter && !seat->is_leaving && !seat->is_lost &&
             seat->node->region == region;
    }
    return n;
}

/* ---- the rules ---- */

/* Newcomers and strangers without a vote: always safe. */
static struct roster_change settle_others(const struct stock *stock,
                                          const struct replica_view *view,
                                          const struct roster_node *nodes,
                                          size_t node_count)
{
    for (size_t i = 0; i < node_count; i++) {
        const struct replica_server *server = server_of(view, nodes[i].id);
        if (server == NULL)
            return (struct roster_change){ROSTER_ADD, nodes[i].id, REPLICA_SPARE};
        if (server->role == REPLICA_SPARE)
            return (struct roster_change){ROSTER_ASSIGN, nodes[i].id, REPLICA_STANDBY};
    }
    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        if (!seat->is_voter && seat->node == NULL)
            return (struct roster_change){ROSTER_REMOVE, seat->server->id,
                                          seat->server->role};
    }
    return nothing;
}

/* The stand-by to promote: asked for by name before automatic, then from the region
 * with the fewest voters, then the oldest. */
static const struct seat *best_standby(const struct stock *stock)
{
    const struct seat *best = NULL;
    unsigned best_region = 0;

    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        if (!seat->is_ready)
            continue;
        unsigned region = voters_in(stock, seat->node->region);
        bool named = is_named(seat->node);
        bool best_named = best != NULL && is_named(best->node);
        if (best == NULL || named > best_named ||
            (named == best_named && region < best_region)) {
            best = seat;
            best_region = region;
        }
    }
    return best;
}

/* The healthy voter that is missed least: an automatic one before one asked for by
 * name, from the region with most voters, the youngest. Never the leader. */
static const struct seat *least_missed(const struct stock *stock)
{
    const struct seat *least = NULL;
    unsigned least_region = 0;

    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        if (!seat->is_voter || seat->is_leader || seat->is_leaving || seat->is_lost)
            continue;
        unsigned region = voters_in(stock, seat->node->region);
        bool named = is_named(seat->node);
        bool least_named = least != NULL && is_named(least->node);
        if (least == NULL || named < least_named ||
            (named == least_named &&
             (region > least_region ||
              (region == least_region && seat->server->id > least->server->id)))) {
            least = seat;
            least_region = region;
        }
    }
    return least;
}

/* Would one stand-by more be better than what there is? */
static bool is_swap_worthwhile(const struct stock *stock, const struct seat *standby)
{
    const struct seat *least = least_missed(stock);

    if (least == NULL || is_named(least->node))
        return false;
    return is_named(standby->node) || voters_in(stock, least->node->region) >=
                                          voters_in(stock, standby->node->region) + 2;
}

static bool may_promote(const struct stock *stock)
{
    return stock->here + 1 >= (stock->voters + 1) / 2 + 1;
}

static struct roster_change promote(const struct stock *stock)
{
    const struct seat *best = best_standby(stock);

    if (best == NULL || !may_promote(stock))
        return nothing;
    /* Leaving an odd number needs the stand-by after this one to be ready too. */
    bool is_way_on =
        stock->voters % 2 == 0 || stock->voters + stock->ready >= stock->voters + 2;
    bool grows = stock->voters < stock->target && is_way_on;
    bool replaces = stock->staying < stock->target && stock->voters <= stock->target &&
                    stock->staying < stock->voters;
    bool swaps = stock->voters == stock->target && stock->staying == stock->voters &&
                 is_swap_worthwhile(stock, best);
    if (!grows && !replaces && !swaps)
        return nothing;
    return (struct roster_change){ROSTER_ASSIGN, best->server->id, REPLICA_VOTER};
}

/* Whom the leader hands over to before it is changed itself. */
static const struct seat *best_heir(const struct stock *stock)
{
    const struct seat *best = NULL;

    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        if (seat->is_voter && !seat->is_leader && !seat->is_leaving && seat->is_here &&
            (best == NULL || seat->server->match > best->server->match))
            best = seat;
    }
    return best;
}

static struct roster_change take_vote(const struct stock *stock, const struct seat *seat)
{
    unsigned here = stock->here - seat->is_here;
    unsigned left = stock->voters - 1;

    /* The last voter stays whatever is wished, and never fewer than a majority. */
    if (left == 0 || here < left / 2 + 1)
        return nothing;
    if (seat->is_leader) {
        const struct seat *heir = best_heir(stock);
        if (heir == NULL)
            return nothing;
        return (struct roster_change){ROSTER_TRANSFER, heir->server->id, REPLICA_VOTER};
    }
    if (seat->node == NULL)
        return (struct roster_change){ROSTER_REMOVE, seat->server->id, REPLICA_VOTER};
    return (struct roster_change){ROSTER_ASSIGN, seat->server->id, REPLICA_STANDBY};
}

static struct roster_change demote(const struct stock *stock)
{
    struct roster_change change = nothing;

    for (unsigned i = 0; i < stock->seat_count && change.step == ROSTER_NOTHING; i++) {
        if (stock->seats[i].is_leaving)
            change = take_vote(stock, &stock->seats[i]);
    }
    /* Three voters do not become two by themselves, nor two one: a copy more of every
     * write is worth more than a smaller quorum. */
    if (stock->voters <= 3 && stock->options->voters != 1)
        return change;
    /* A lost one goes once it is replaced, or where without it fewer are needed for
     * the same number of failures. */
    for (unsigned i = 0; i < stock->seat_count && change.step == ROSTER_NOTHING; i++) {
        if (stock->seats[i].is_lost &&
            (stock->staying >= stock->target || stock->voters % 2 == 0))
            change = take_vote(stock, &stock->seats[i]);
    }
    const struct seat *least = least_missed(stock);
    if (change.step == ROSTER_NOTHING && stock->voters > stock->target && least != NULL &&
        stock->staying == stock->voters)
        change = take_vote(stock, least);
    return change;
}

/* The only automatic voter leads, and somebody asked for its vote by name: another one has
 * to lead before that can be arranged. */
static struct roster_change step_aside(const struct stock *stock)
{
    const struct seat *best = best_standby(stock);
    const struct seat *heir = best_heir(stock);

    if (best == NULL || heir == NULL || !is_named(best->node) || !may_promote(stock) ||
        stock->voters != stock->target || stock->staying != stock->voters)
        return nothing;
    for (unsigned i = 0; i < stock->seat_count; i++) {
        const struct seat *seat = &stock->seats[i];
        if (seat->is_voter && is_named(seat->node) == seat->is_leader)
            return nothing;
    }
    return (struct roster_change){ROSTER_TRANSFER, heir->server->id, REPLICA_VOTER};
}

struct roster_change roster_next(struct roster *roster,
                                 const struct roster_options *options,
                                 const struct replica_view *view,
                                 const struct roster_node *nodes, size_t node_count,
                                 uint64_t now_ms)
{
    struct stock stock;

    if (view->state != REPLICA_LEADER || node_count == 0)
        return nothing;
    take_stock(roster, options, view, nodes, node_count, now_ms, &stock);
    struct roster_change change = settle_others(&stock, view, nodes, node_count);
    if (change.step == ROSTER_NOTHING)
        change = promote(&stock);
    if (change.step == ROSTER_NOTHING)
        change = demote(&stock);
    if (change.step == ROSTER_NOTHING)
        change = step_aside(&stock);
    return change;
}
