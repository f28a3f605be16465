/* snapshot save, inspect, restore. */
#include "cli/offline/snapshot.h"

#include "base/instant.h"
#include "cli/client.h"
#include "cli/node_options.h"
#include "cli/output.h"
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAVE_TIMEOUT_MS 300000

/* ---- save ---- */

struct saving {
    char part[4200];
    int fd;
};

static void save_begin(void *owner)
{
    struct saving *saving = owner;

    /* Another node may have been asked before, and have broken off. */
    if (ftruncate(saving->fd, 0) != 0 || lseek(saving->fd, 0, SEEK_SET) != 0)
        close(saving->fd), saving->fd = -1;
}

static bool save_piece(void *owner, struct slice piece, struct error *err)
{
    struct saving *saving = owner;

    while (piece.size > 0) {
        ssize_t n = write(saving->fd, piece.data, piece.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set(err, GW_IO, "write '%s': %s", saving->part, strerror(errno));
            return false;
        }
        piece = slice_from(piece, (size_t)n);
    }
    return true;
}

static void emit_facts(struct emit *emit, const struct snapshot_facts *facts)
{
    char when[INSTANT_TEXT_SIZE], checksum[17];

    instant_format(facts->made_ms, when);
    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)facts->checksum);
    emit_key(emit, "clusterId");
    emit_cstring(emit, facts->cluster_id);
    emit_key(emit, "clusterName");
    emit_cstring(emit, facts->cluster_name);
    emit_key(emit, "taken");
    emit_cstring(emit, when);
    emit_key(emit, "node");
    emit_cstring(emit, facts->node);
    emit_key(emit, "region");
    emit_cstring(emit, facts->region);
    emit_key(emit, "version");
    emit_cstring(emit, facts->version);
    emit_key(emit, "format");
    emit_u64(emit, facts->format);
    emit_key(emit, "revision");
    emit_u64_string(emit, facts->revision);
    emit_key(emit, "index");
    emit_u64_string(emit, facts->index);
    emit_key(emit, "term");
    emit_u64_string(emit, facts->term);
    emit_key(emit, "objects");
    emit_object(emit);
    for (size_t i = 0; i < facts->kind_count; i++) {
        emit_key(emit, facts->kinds[i].name);
        emit_u64(emit, facts->kinds[i].count);
    }
    emit_object_end(emit);
    emit_key(emit, "members");
    emit_array(emit);
    for (size_t i = 0; i < facts->member_count; i++)
        emit_cstring(emit, facts->members[i]);
    emit_array_end(emit);
    emit_key(emit, "sizeBytes");
    emit_u64(emit, facts->size_bytes);
    emit_key(emit, "checksum");
    emit_cstring(emit, checksum);
}

/* As -o asks; false: neither JSON nor YAML. */
static bool print_tree(const struct invocation *invocation, struct buffer *json)
{
    struct arena arena;
    struct error err = ERROR_NONE;

    arena_init(&arena, 0, 0);
    bool is_told = output_tree(invocation, json_read(&arena, buffer_slice(json), &err));
    arena_deinit(&arena);
    return is_told;
}

static bool print_facts(const struct invocation *invocation,
                        const struct snapshot_facts *facts, const char *file)
{
    struct buffer json;
    struct emit emit;

    buffer_init(&json, 0);
    emit_init(&emit, &json, false);
    emit_object(&emit);
    emit_key(&emit, "file");
    emit_cstring(&emit, file);
    emit_facts(&emit, facts);
    emit_object_end(&emit);
    bool is_told = print_tree(invocation, &json);
    buffer_deinit(&json);
    return is_told;
}

/* A whole file or none: it comes into FILE.part, is checked there, then renamed. */
static int take_in(const struct invocation *invocation, struct saving *saving,
                   const char *file)
{
    struct snapshot_facts facts;
    struct error err = ERROR_NONE;

    if (fsync(saving->fd) != 0)
        return fail(GW_IO, "make room, then the same again", "write '%s': %s", saving->part,
                    strerror(errno));
    if (offline_snapshot_inspect(saving->part, &facts, &err) != GW_OK) {
        error_wrap(&err, "what came is no whole snapshot");
        return fail_error(&err, "the same again");
    }
    bool is_replaced = access(file, F_OK) == 0;
    if (rename(saving->part, file) != 0)
        return fail(GW_IO, "choose another file", "rename '%s' to '%s': %s", saving->part,
                    file, strerror(errno));
    if (!print_facts(invocation, &facts, file) && !invocation->quiet)
        printf("%s: revision %llu of cluster %s, %llu bytes, checksum %016llx%s\n", file,
               (unsigned long long)facts.revision, facts.cluster_id,
               (unsigned long long)facts.size_bytes, (unsigned long long)facts.checksum,
               is_replaced ? "; it replaces the file that was there" : "");
    return EXIT_OK;
}

int run_snapshot_save(struct invocation *invocation)
{
    const char *file = invocation->arguments[0];
    struct saving saving = {.fd = -1};
    const struct body_taker taker = {save_begin, save_piece, &saving};
    struct call call = {.method = "GET",
                        .target = invocation->stale
                                      ? SLICE("/v1/snapshot?consistency=stale")
                                      : SLICE("/v1/snapshot"),
                        .taker = &taker};
    struct client *client;
    struct answer answer;
    struct error err = ERROR_NONE;

    if (strcmp(file, "-") == 0)
        return fail(GW_USAGE, "gwctl snapshot save FILE",
                    "a snapshot is checked before it stands under its name, so it goes to "
                    "a file, not to standard output");
    if (strlen(file) > sizeof saving.part - 16)
        return fail(GW_USAGE, "gwctl snapshot save F", "the path is too long");
    if (!invocation->has_timeout)
        invocation->timeout_ms = SAVE_TIMEOUT_MS;
    int exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK)
        return exit_code;
    snprintf(saving.part, sizeof saving.part, "%s.part.%d", file, (int)getpid());
    saving.fd = open(saving.part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (saving.fd < 0) {
        exit_code = fail(GW_IO, "choose another file", "write '%s': %s", saving.part,
                         strerror(errno));
    } else if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code = fail_error(&err, "gwctl cluster status");
    } else {
        exit_code = answer.status == 200 ? take_in(invocation, &saving, file)
                                         : answer_fail(invocation, &answer);
        answer_free(&answer);
    }
    if (saving.fd >= 0)
        close(saving.fd);
    if (exit_code != EXIT_OK)
        unlink(saving.part);
    client_close(client);
    return exit_code;
}

/* ---- inspect ---- */

static const char *next_of_file(enum result code)
{
    switch (code) {
    case GW_DAMAGED:
        return "use another snapshot; gwctl snapshot save F takes a new one";
    case GW_NOT_FOUND:
        return "gwctl snapshot save F";
    default:
        return "gwctl snapshot --help";
    }
}

int run_snapshot_inspect(struct invocation *invocation)
{
    const char *file = invocation->arguments[0];
    struct snapshot_facts facts;
    struct error err = ERROR_NONE;
    char when[INSTANT_TEXT_SIZE];

    if (offline_snapshot_inspect(file, &facts, &err) != GW_OK)
        return fail_error(&err, next_of_file(err.code));
    if (print_facts(invocation, &facts, file))
        return EXIT_OK;
    instant_format(facts.made_ms, when);
    printf("cluster   %s (%s)\n", facts.cluster_id, facts.cluster_name);
    printf("taken     %s by %s, gwd %s\n", when, facts.node, facts.version);
    printf("revision  %llu (index %llu, term %llu)\n", (unsigned long long)facts.revision,
           (unsigned long long)facts.index, (unsigned long long)facts.term);
    printf("objects  ");
    for (size_t i = 0; i < facts.kind_count; i++)
        printf("%s %s %llu", i == 0 ? "" : ",", facts.kinds[i].name,
               (unsigned long long)facts.kinds[i].count);
    printf("%s\nmembers  ", facts.kind_count == 0 ? " none" : "");
    for (size_t i = 0; i < facts.member_count; i++)
        printf("%s %s", i == 0 ? "" : ",", facts.members[i]);
    printf("\nfile      %llu bytes, format %llu, checksum %016llx: whole\n",
           (unsigned long long)facts.size_bytes, (unsigned long long)facts.format,
           (unsigned long long)facts.checksum);
    return EXIT_OK;
}

/* ---- restore ---- */

static void say_restored(const struct invocation *invocation,
                         const struct offline_options *options,
                         const struct restored *restored, bool has_key)
{
    const struct offline_made *made = &restored->made;

    if (invocation->output == OUTPUT_JSON) {
        printf(
            "{\"clusterId\":\"%s\",\"id\":\"%llu\",\"name\":\"%s\",\"dataDir\":\"%s\","
            "\"revision\":\"%llu\",\"fromClusterId\":\"%s\",\"fromRevision\":\"%llu\"}\n",
            made->cluster_id, (unsigned long long)made->node_id, made->name,
            options->data_dir, (unsigned long long)restored->revision,
            restored->from_cluster, (unsigned long long)restored->from_revision);
        return;
    }
    if (invocation->quiet)
        return;
    printf("restored revision %llu of cluster %s as cluster %s, revision %llu\n"
           "node %llu '%s' is its only member; credentials of the old cluster are void\n",
           (unsigned long long)restored->from_revision, restored->from_cluster,
           made->cluster_id, (unsigned long long)restored->revision,
           (unsigned long long)made->node_id, made->name);
    printf("the cluster key is %s\n",
           has_key ? "the old one: sealed secrets stay readable"
                   : "new: secrets sealed in the old cluster are not readable (--keys F "
                     "keeps the old one)");
    printf(
        "next: gwd --data-dir %s; gwctl context import %s/admin.yaml; gwctl cluster token "
        "create, and join the others in empty directories\n",
        options->data_dir, options->data_dir);
}

int run_snapshot_restore(struct invocation *invocation)
{
    struct offline_options options;
    struct restored restored;
    struct error err = ERROR_NONE;
    const char *keys = option_value(invocation, "--keys");
    struct seal_key key;
    int exit_code = node_options_read(invocation, &options);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (options.data_dir == NULL)
        return fail(GW_USAGE, "gwctl snapshot restore F --data-dir D",
                    "--data-dir is needed");
    if (keys != NULL)
        exit_code = passphrase_open(invocation, keys, &key, NULL);
    if (exit_code != EXIT_OK)
        return exit_code;
    options.cluster = option_value(invocation, "--cluster");
    options.token_out = option_value(invocation, "--token-out");
    enum result result = offline_snapshot_restore(
        &options, invocation->arguments[0], keys != NULL ? &key : NULL, &restored, &err);
    seal_key_wipe(&key);
    if (result != GW_OK)
        return fail_error(&err,
                          err.code == GW_CONFLICT
                              ? "gwctl snapshot restore F --data-dir an empty directory"
                              : next_of_file(err.code));
    say_restored(invocation, &options, &restored, keys != NULL);
    return EXIT_OK;
}
