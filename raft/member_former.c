/* Who was left behind by `cluster recover` does not know it. He is greeted on his old
 * address: the hellos do not fit, each side refuses the other and logs the sentence
 * that says what to do. Without this two recoveries of one epoch would never meet,
 * since neither has the other among its nodes. */
#include "raft/member_inner.h"

#define GREET_MS 10000

void member_formers_take(struct member *member, const struct member_options *options)
{
    for (size_t i = 0; i < options->former_count && member->former_count < MEMBER_PEERS;
         i++)
        member->formers[member->former_count++] = options->formers[i];
}

/* A node of now stands at that address: the former one has been replaced. */
static bool is_replaced(const struct member *member, const struct member_former *former)
{
    for (size_t i = 0; i < member->node_count; i++) {
        if (strcmp(member->nodes[i].address, former->address) == 0)
            return true;
    }
    return false;
}

void member_formers_tick(struct member *member, uint64_t now_ms)
{
    if (member->former_count == 0 || now_ms - member->formers_at_ms < GREET_MS)
        return;
    member->formers_at_ms = now_ms;
    for (size_t i = 0; i < member->former_count; i++) {
        const struct member_former *former = &member->formers[i];
        if (former->address[0] != '\0' && !is_replaced(member, former))
            peers_greet(&member->peers, former->id, former->address);
    }
}
