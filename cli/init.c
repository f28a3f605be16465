/* cluster init and join: the two commands that work on a directory rather than
 * on a running node. */
#include "cli/command.h"
#include "cli/node_options.h"

#include "model/units.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOKEN_MAX 16384

int node_options_read(const struct invocation *invocation,
                      struct offline_options *ret_options)
{
    static struct offline_listener listeners[OFFLINE_LISTENERS_MAX];
    struct offline_options options = {
        .data_dir = option_value(invocation, "--data-dir"),
        .name = option_value(invocation, "--name"),
        .region = option_value(invocation, "--region"),
        .zone = option_value(invocation, "--zone"),
        .peer = option_value(invocation, "--peer"),
        .peer_listen = option_value(invocation, "--peer-listen"),
        .admin = option_value(invocation, "--admin"),
        .health = option_value(invocation, "--health"),
        .if_needed = option_value(invocation, "--if-needed") != NULL,
        .replace = option_value(invocation, "--replace") != NULL,
        .listeners = listeners,
    };
    const char *text;
    int position = 0;

    while ((text = option_next(invocation, "--listener", &position)) != NULL) {
        struct slice rest = slice_from_string(text), name;
        size_t equals = slice_find_byte(rest, '=');
        if (equals == SIZE_MAX || equals == 0 ||
            options.listener_count == OFFLINE_LISTENERS_MAX)
            return fail(GW_USAGE, "--listener http=127.0.0.1:8080",
                        "--listener '%s' is not NAME=BIND", text);
        name = slice_sub(rest, 0, equals);
        listeners[options.listener_count++] =
            (struct offline_listener){name, slice_from(rest, equals + 1)};
    }
    *ret_options = options;
    return EXIT_OK;
}

/* What init and join cannot do without. */
static int read_options(const struct invocation *invocation,
                        struct offline_options *ret_options)
{
    int exit_code = node_options_read(invocation, ret_options);

    if (exit_code == EXIT_OK && ret_options->replace && ret_options->data_dir != NULL)
        return EXIT_OK; /* the rest is as the node was that it replaces */
    if (exit_code == EXIT_OK && (ret_options->data_dir == NULL ||
                                 ret_options->name == NULL || ret_options->region == NULL))
        return fail(GW_USAGE,
                    "gwctl cluster init|join … --data-dir D --name eu-1 --region eu",
                    "--data-dir, --name and --region are needed");
    return exit_code;
}

static void say_made(const struct invocation *invocation,
                     const struct offline_options *options, const struct offline_made *made,
                     const char *what)
{
    if (invocation->output == OUTPUT_JSON) {
        printf("{\"clusterId\":\"%s\",\"id\":\"%llu\",\"name\":\"%s\",\"dataDir\":\"%s\","
               "\"created\":%s}\n",
               made->cluster_id, (unsigned long long)made->node_id, made->name,
               options->data_dir, made->was_there ? "false" : "true");
        return;
    }
    if (invocation->quiet)
        return;
    if (made->was_there)
        printf("%s already is node %llu '%s' of cluster %s\n", options->data_dir,
               (unsigned long long)made->node_id, made->name, made->cluster_id);
    else
        printf("%s cluster %s as node %llu '%s'\nnext: gwd --data-dir %s\n", what,
               made->cluster_id, (unsigned long long)made->node_id, made->name,
               options->data_dir);
}

int run_cluster_init(struct invocation *invocation)
{
    struct offline_options options;
    struct offline_made made;
    struct error err = ERROR_NONE;
    int exit_code = read_options(invocation, &options);

    if (exit_code != EXIT_OK)
        return exit_code;
    options.cluster = option_value(invocation, "--cluster");
    options.ca_certificate = option_value(invocation, "--ca-cert");
    options.ca_key = option_value(invocation, "--ca-key");
    options.token_out = option_value(invocation, "--token-out");
    if (offline_init(&options, &made, &err) != GW_OK)
        return fail_error(&err, "choose an empty --data-dir, or --if-needed");
    say_made(invocation, &options, &made, "founded");
    return EXIT_OK;
}

/* From the argument, standard input, or --token-file. */
static int read_token(const struct invocation *invocation, struct buffer *token)
{
    const char *file = option_value(invocation, "--token-file");
    const char *argument = invocation->argument_count > 0 ? invocation->arguments[0] : NULL;
    struct error err = ERROR_NONE;
    char chunk[1024];
    size_t size;

    if ((file == NULL) == (argument == NULL))
        return fail(GW_USAGE, "gwctl cluster token create, on a node of the cluster",
                    "a token is needed: as an argument, as - for standard input, or by "
                    "--token-file");
    if (file != NULL && keyfile_read(file, TOKEN_MAX, token, &err) != GW_OK)
        return fail_error(&err, "gwctl cluster token create > FILE");
    if (argument != NULL && strcmp(argument, "-") != 0)
        buffer_append_slice(token, slice_from_string(argument));
    if (argument != NULL && strcmp(argument, "-") == 0) {
        while ((size = fread(chunk, 1, sizeof chunk, stdin)) > 0)
            buffer_append(token, chunk, size);
    }
    return EXIT_OK;
}

/* Of a container's first start: the token file of the founder may come a little later. */
static void await_token_file(const struct invocation *invocation, uint64_t wait_ms)
{
    const char *file = option_value(invocation, "--token-file");

    for (uint64_t waited_ms = 0;
         file != NULL && access(file, R_OK) != 0 && waited_ms < wait_ms; waited_ms += 100)
        usleep(100 * 1000);
}

static const char *next_of_join(enum result code)
{
    switch (code) {
    case GW_UNAUTHORISED:
    case GW_FORBIDDEN:
    case GW_MALFORMED:
    case GW_NOT_FOUND:
        return "gwctl cluster token create, on a node of the cluster";
    case GW_CONFLICT:
        return "choose what nobody has yet; gwctl cluster members, on a node of the "
               "cluster";
    case GW_UNREACHABLE:
    case GW_TIMEOUT:
    case GW_NO_QUORUM:
        return "gwctl cluster status, on a node of the cluster; then the same again";
    default:
        return "gwctl cluster join --help";
    }
}

int run_cluster_join(struct invocation *invocation)
{
    const char *wait = option_value(invocation, "--wait");
    struct offline_options options;
    struct offline_made made;
    struct buffer token;
    struct error err = ERROR_NONE;
    int exit_code = read_options(invocation, &options);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (wait != NULL && !duration_parse(slice_from_string(wait), &options.wait_ms))
        return fail(GW_USAGE, "--wait 60s", "--wait '%s' is no duration", wait);
    await_token_file(invocation, options.wait_ms);
    buffer_init(&token, TOKEN_MAX);
    exit_code = read_token(invocation, &token);
    if (exit_code == EXIT_OK) {
        options.token = slice_trim(buffer_slice(&token));
        if (offline_join(&options, &made, &err) != GW_OK)
            exit_code = fail_error(&err, next_of_join(err.code));
        else
            say_made(invocation, &options, &made, "joined");
    }
    buffer_deinit(&token);
    return exit_code;
}
