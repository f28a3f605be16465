/* One report a peer is kept until this node has reached its index: the oldest, since a
 * node that is always a little behind would else never compare any. What was compared
 * holds for half a minute. */
#include "raft/sameness.h"

static struct sameness_known *known_of(struct sameness *sameness, uint64_t id)
{
    struct sameness_known *spare = NULL;

    for (size_t i = 0; i < SAMENESS_PEERS; i++) {
        if (sameness->known[i].id == id)
            return &sameness->known[i];
        if (sameness->known[i].id == 0 && spare == NULL)
            spare = &sameness->known[i];
    }
    if (spare != NULL)
        *spare = (struct sameness_known){.id = id};
    return spare;
}

static bool is_listed(const struct sameness_news *news, uint64_t id)
{
    for (size_t i = 0; i < news->peer_count; i++) {
        if (news->peers[i].id == id)
            return true;
    }
    return false;
}

static bool is_fresh(const struct sameness_known *known, uint64_t now_ms)
{
    return known->compared_ms != 0 && now_ms - known->compared_ms <= SAMENESS_FRESH_MS;
}

static void compare(struct sameness_known *known, const struct sameness_peer *peer,
                    const struct sameness_news *news, uint64_t now_ms)
{
    uint64_t own;

    if (known->is_waiting && now_ms - known->waiting_ms > SAMENESS_FRESH_MS)
        known->is_waiting = false; /* passed over by a dump, or a mistake */
    if (!known->is_waiting && peer->has_told &&
        now_ms - peer->told_ms <= SAMENESS_FRESH_MS) {
        known->is_waiting = true;
        known->waiting_ms = now_ms;
        known->index = peer->index;
        known->digest = peer->digest;
    }
    if (!known->is_waiting)
        return;
    if (news->digest_at(news->owner, known->index, &own)) {
        known->compared_ms = now_ms;
        known->compared_index = known->index;
        known->difference = known->digest - own;
        known->is_waiting = false;
    } else if (known->index <= news->visible) {
        known->is_waiting = false; /* out of the ring: the next one is newer */
    }
}

/* How many voters differ from this node by what this one does. */
static unsigned count_alike(const struct sameness *sameness,
                            const struct sameness_news *news, uint64_t difference,
                            uint64_t now_ms)
{
    unsigned count = 0;

    for (size_t i = 0; i < SAMENESS_PEERS; i++) {
        const struct sameness_known *known = &sameness->known[i];
        if (known->id == 0 || !is_fresh(known, now_ms) || known->difference != difference)
            continue;
        for (size_t j = 0; j < news->peer_count; j++)
            count += news->peers[j].id == known->id && news->peers[j].is_voter;
    }
    return count;
}

static unsigned count_voters(const struct sameness_news *news)
{
    unsigned count = news->is_voter;

    for (size_t i = 0; i < news->peer_count; i++)
        count += news->peers[i].is_voter;
    return count;
}

/* With this node, and the voters of lower ids that say they are quarantined, it would be
 * more than a minority. */
static bool is_one_too_many(const struct sameness_news *news, uint64_t now_ms)
{
    unsigned voters = count_voters(news), count = news->is_voter;

    for (size_t i = 0; i < news->peer_count; i++) {
        const struct sameness_peer *peer = &news->peers[i];
        count += peer->is_voter && peer->is_quarantined && peer->id < news->id &&
                 now_ms - peer->told_ms <= SAMENESS_FRESH_MS;
    }
    return count > voters - (voters / 2 + 1);
}

static enum sameness_verdict judge(struct sameness *sameness,
                                   const struct sameness_news *news, uint64_t now_ms)
{
    unsigned voters = count_voters(news), others = 0;
    unsigned majority = voters / 2 + 1;
    unsigned same = count_alike(sameness, news, 0, now_ms) + news->is_voter;
    for (size_t i = 0; i < SAMENESS_PEERS; i++) {
        const struct sameness_known *known = &sameness->known[i];
        if (known->id == 0 || !is_fresh(known, now_ms) || known->difference == 0)
            continue;
        unsigned count = count_alike(sameness, news, known->difference, now_ms);
        if (count >= majority) {
            sameness->differs_at = known->compared_index;
            return is_one_too_many(news, now_ms) ? SAMENESS_SPLIT : SAMENESS_DIFFERENT;
        }
        others += count;
    }
    return same >= majority ? SAMENESS_SAME
           : others > 0     ? SAMENESS_SPLIT
                            : SAMENESS_UNKNOWN;
}

/* What was committed a while ago is applied, or this node is too slow. */
static void look_at_lag(struct sameness *sameness, const struct sameness_news *news,
                        uint64_t now_ms)
{
    if (sameness->lag_ms == 0 || news->visible >= sameness->lag_index) {
        sameness->lag_index = news->commit;
        sameness->lag_ms = now_ms;
        sameness->is_lagging = false;
    } else if (now_ms - sameness->lag_ms > SAMENESS_LAG_MS) {
        sameness->is_lagging = true;
    }
}

bool sameness_look(struct sameness *sameness, const struct sameness_news *news,
                   uint64_t now_ms)
{
    if (sameness->looked_ms != 0 && now_ms - sameness->looked_ms < SAMENESS_LOOK_MS)
        return false;
    sameness->looked_ms = now_ms;
    for (size_t i = 0; i < SAMENESS_PEERS; i++) {
        if (sameness->known[i].id != 0 && !is_listed(news, sameness->known[i].id))
            sameness->known[i].id = 0;
    }
    for (size_t i = 0; i < news->peer_count; i++) {
        struct sameness_known *known = known_of(sameness, news->peers[i].id);
        if (known != NULL)
            compare(known, &news->peers[i], news, now_ms);
    }
    enum sameness_verdict verdict = judge(sameness, news, now_ms);
    sameness->looks = verdict == sameness->verdict ? sameness->looks + 1 : 1;
    sameness->verdict = verdict;
    if (sameness->looks >= SAMENESS_LOOKS && verdict != SAMENESS_UNKNOWN) {
        /* Without a majority what was found before still holds, unless too many found it.
         */
        if (verdict != SAMENESS_SPLIT || is_one_too_many(news, now_ms))
            sameness->is_quarantined = verdict == SAMENESS_DIFFERENT;
        sameness->is_split = verdict == SAMENESS_SPLIT;
    }
    look_at_lag(sameness, news, now_ms);
    return true;
}

bool sameness_differs(const struct sameness *sameness, uint64_t id, uint64_t now_ms)
{
    for (size_t i = 0; i < SAMENESS_PEERS; i++) {
        const struct sameness_known *known = &sameness->known[i];
        if (known->id == id)
            return is_fresh(known, now_ms) && known->difference != 0;
    }
    return false;
}
