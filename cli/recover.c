/* cluster recover. */
#include "cli/offline/recover.h"

#include "base/emit.h"
#include "cli/confirm.h"
#include "cli/output.h"
#include "model/value.h"

#include <stdio.h>

static bool print_tree(const struct invocation *invocation,
                       const struct recover_facts *facts)
{
    struct buffer json;
    struct emit emit;
    struct arena arena;
    struct error err = ERROR_NONE;

    buffer_init(&json, 0);
    emit_init(&emit, &json, false);
    emit_object(&emit);
    emit_key(&emit, "clusterId");
    emit_cstring(&emit, facts->cluster_id);
    emit_key(&emit, "name");
    emit_cstring(&emit, facts->name);
    emit_key(&emit, "id");
    emit_u64_string(&emit, facts->node_id);
    emit_key(&emit, "epoch");
    emit_u64_string(&emit, facts->epoch);
    emit_key(&emit, "term");
    emit_u64_string(&emit, facts->last_term);
    emit_key(&emit, "lastIndex");
    emit_u64_string(&emit, facts->last);
    emit_key(&emit, "applied");
    emit_u64_string(&emit, facts->applied);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, facts->revision);
    emit_key(&emit, "voter");
    emit_bool(&emit, facts->is_voter);
    emit_key(&emit, "others");
    emit_array(&emit);
    for (size_t i = 0; i < facts->member_count; i++) {
        emit_object(&emit);
        emit_key(&emit, "id");
        emit_u64_string(&emit, facts->members[i].id);
        emit_key(&emit, "name");
        emit_cstring(&emit, facts->members[i].name);
        emit_key(&emit, "peer");
        emit_cstring(&emit, facts->members[i].peer);
        emit_key(&emit, "voter");
        emit_bool(&emit, facts->members[i].is_voter);
        emit_object_end(&emit);
    }
    emit_array_end(&emit);
    emit_object_end(&emit);
    arena_init(&arena, 0, 0);
    bool is_told = output_tree(invocation, json_read(&arena, buffer_slice(&json), &err));
    arena_deinit(&arena);
    buffer_deinit(&json);
    return is_told;
}

static void list_others(const struct recover_facts *facts, FILE *out)
{
    for (size_t i = 0; i < facts->member_count; i++)
        fprintf(out, "%s%s%s", i == 0 ? "" : ", ", facts->members[i].name,
                facts->members[i].is_voter ? "" : " (no voter)");
    if (facts->member_count == 0)
        fputs("none", out);
}

static const char *next_of(enum result code)
{
    switch (code) {
    case GW_LOCKED:
        return "stop its gwd, then the same again; gwctl cluster status, if it may have a "
               "quorum";
    case GW_NOT_FOUND:
        return "gwctl cluster recover --inspect --data-dir the directory of a node";
    default:
        return "gwctl cluster recover on another survivor, or gwctl snapshot restore F "
               "--data-dir D";
    }
}

static int inspect(const struct invocation *invocation, const char *data_dir)
{
    struct recover_facts facts;
    struct error err = ERROR_NONE;

    if (offline_recover_inspect(data_dir, &facts, &err) != GW_OK)
        return fail_error(&err, next_of(err.code));
    if (print_tree(invocation, &facts))
        return EXIT_OK;
    printf("node      %s (id %llu) of cluster %s, epoch %llu\n", facts.name,
           (unsigned long long)facts.node_id, facts.cluster_id,
           (unsigned long long)facts.epoch);
    printf("term      %llu\nlast      index %llu\n", (unsigned long long)facts.last_term,
           (unsigned long long)facts.last);
    printf("applied   index %llu, revision %llu\nothers    ",
           (unsigned long long)facts.applied, (unsigned long long)facts.revision);
    list_others(&facts, stdout);
    printf(
        "\nnext: compare term, then last index, on every survivor; on the highest: gwctl "
        "cluster recover --data-dir D\n");
    return EXIT_OK;
}

int run_cluster_recover(struct invocation *invocation)
{
    const char *data_dir = option_value(invocation, "--data-dir");
    struct recover_facts facts;
    struct error err = ERROR_NONE;

    if (data_dir == NULL)
        return fail(GW_USAGE, "gwctl cluster recover --inspect --data-dir D",
                    "--data-dir is needed");
    if (option_value(invocation, "--inspect") != NULL)
        return inspect(invocation, data_dir);
    if (offline_recover_inspect(data_dir, &facts, &err) != GW_OK)
        return fail_error(&err, next_of(err.code));
    int exit_code = confirm(
        invocation,
        "%s becomes the only voter of cluster %s, in epoch %llu, as of term %llu, index "
        "%llu.\n"
        "What was acknowledged after that is lost. The other nodes are shut out: they have "
        "to join again.\nDo this on one node only, the one that is furthest.",
        facts.name, facts.cluster_id, (unsigned long long)facts.epoch + 1,
        (unsigned long long)facts.last_term, (unsigned long long)facts.last);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (offline_recover(data_dir, &facts, &err) != GW_OK)
        return fail_error(&err, next_of(err.code));
    if (print_tree(invocation, &facts) || invocation->quiet)
        return EXIT_OK;
    printf("%s is the only voter of cluster %s, epoch %llu\n", facts.name, facts.cluster_id,
           (unsigned long long)facts.epoch);
    printf("kept: all up to index %llu of term %llu, revision %llu",
           (unsigned long long)facts.last, (unsigned long long)facts.last_term,
           (unsigned long long)facts.revision);
    if (facts.last > facts.applied)
        printf("; the last %llu entries were not known to be committed",
               (unsigned long long)(facts.last - facts.applied));
    printf("\nmay be lost: what was acknowledged after index %llu without this node; other "
           "members: ",
           (unsigned long long)facts.last);
    list_others(&facts, stdout);
    printf("\nnext: gwd --data-dir %s; gwctl cluster token create; on each of the others: "
           "gwctl cluster join --replace TOKEN --data-dir D\n",
           data_dir);
    return EXIT_OK;
}
