/* gwctl: runs a Quorumgate cluster from a terminal or a script. */
#include "cli/client.h"
#include "cli/output.h"

#include <signal.h>
#include <stdio.h>

#ifndef GW_VERSION
#define GW_VERSION "0.0.0"
#endif

int run_version(struct invocation *invocation)
{
    struct answer answer;
    struct client *client;
    struct call call = {.method = "GET", .target = SLICE("/v1/version")};
    struct error err = ERROR_NONE;
    bool is_json = invocation->output == OUTPUT_JSON;

    printf(is_json ? "{\"client\":\"%s\"" : "gwctl %s\n", GW_VERSION);
    /* The server's too where one is named; that there is none is no failure. */
    bool has_server = (invocation->endpoints != NULL || invocation->context != NULL) &&
                      client_open(invocation, &client) == EXIT_OK;
    if (has_server) {
        if (client_call(client, &call, &answer, &err) == GW_OK) {
            printf(is_json ? ",\"server\":\"%.*s\"" : "gwd   %.*s\n",
                   SLICE_ARG(value_text(answer.root, "version")));
            answer_free(&answer);
        }
        client_close(client);
    }
    if (is_json)
        printf("}\n");
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct invocation invocation = {0};
    bool help = false;

    signal(SIGPIPE, SIG_IGN);
    int exit_code = command_parse(argc, argv, &invocation, &help);
    if (exit_code != EXIT_OK || help || invocation.command == NULL)
        return exit_code;
    exit_code = invocation.command->run(&invocation);
    if (fflush(stdout) != 0 && exit_code == EXIT_OK)
        exit_code = EXIT_ERROR;
    return exit_code;
}
