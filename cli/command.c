/* Parsing by the table: words find the command, then options stand anywhere.
 * The table has some dozens of rows and is walked once, so a list will do. */
#include "cli/command.h"

#include "model/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

/* Named in the contract, built later: said so rather than "unknown". */
static const char *const unbuilt[] = {
    "seal",   "breakers", "health", "bans",  "limits", "consumers", "certs",
    "jwks",   "admins",   "region", "drill", "drain",  "undrain",   "top",
    "events", "doctor",   "log",    "debug", NULL,
};

/* What people type who come from elsewhere. */
static const struct {
    const char *typed, *meant;
} habits[] = {
    {"move-leader", "cluster transfer"},
    {"list-peers", "cluster members"},
    {"promote", "cluster promote"},
    {"demote", "cluster demote"},
    {"remove-peer", "cluster remove"},
    {"leave", "cluster remove"},
    {"member list", "cluster members"},
    {"members", "cluster members"},
    {"status", "cluster status"},
    {"rollout undo", "rollback"},
    {"create", "apply -f FILE"},
    {"replace", "apply -f FILE"},
    {"sync", "apply --prune -l SELECTOR -f FILE"},
    {"dump", "export"},
    {"lint", "validate -f FILE"},
    {"trace", "explain METHOD URL"},
    {"plan", "diff -f FILE"},
};

const char *option_next(const struct invocation *invocation, const char *name,
                        int *position)
{
    while (*position < invocation->option_count) {
        const struct given_option *given = &invocation->options[(*position)++];
        if (strcmp(given->option->name, name) == 0)
            return given->value;
    }
    return NULL;
}

const char *option_value(const struct invocation *invocation, const char *name)
{
    const char *last = NULL, *value;

    for (int position = 0; (value = option_next(invocation, name, &position)) != NULL;)
        last = value;
    return last;
}

static const struct option *find_option(const struct option *options, const char *text,
                                        size_t size)
{
    for (; options != NULL && options->name != NULL; options++) {
        bool is_letter = size == 2 && text[1] != '-' && options->letter == text[1] &&
                         options->letter != 0;
        if (is_letter ||
            (strlen(options->name) == size && strncmp(options->name, text, size) == 0))
            return options;
    }
    return NULL;
}

static void print_options(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s %s%s", options->letter ? '-' : ' ',
                 options->letter ? options->letter : ' ', options->letter ? "," : " ",
                 options->name, options->value ? "" : "");
        if (options->value != NULL)
            snprintf(left + strlen(left), sizeof left - strlen(left), " %s",
                     options->value);
        printf("  %-34s %s\n", left, options->help);
    }
}

void command_help(const struct command *command)
{
    if (command != NULL) {
        printf("usage: gwctl %s%s%s%s\n\n%s\n", command->words,
               command->arguments[0] ? " " : "", command->arguments,
               command->options ? " [options]" : "", command->summary);
        if (command->options != NULL)
            printf("\nOptions:\n");
        print_options(command->options);
    } else {
        printf(
            "usage: gwctl COMMAND [options]\n\nRuns a Quorumgate cluster.\n\nCommands:\n");
        for (command = commands; command->words != NULL; command++) {
            char left[64];
            snprintf(left, sizeof left, "%s%s%s", command->words,
                     command->arguments[0] ? " " : "", command->arguments);
            printf("  %-34s %s\n", left, command->summary);
        }
    }
    printf("\nEverywhere:\n");
    print_options(global_options);
    printf(
        "\nExit codes: 0 ok, 1 error, 2 usage, 3 degraded, 4 not found, 5 conflict,\n"
        "6 no leader, no quorum or unreachable, 7 unauthorised, 8 invalid, 9 timeout.\n");
}

/* Whether the words typed begin with `words`, whole. */
static bool begins_with(const char *typed, const char *words)
{
    size_t size = strlen(words);

    return strncmp(typed, words, size) == 0 && (typed[size] == '\0' || typed[size] == ' ');
}

static const char *unbuilt_name(const char *typed)
{
    for (size_t i = 0; unbuilt[i] != NULL; i++) {
        if (begins_with(typed, unbuilt[i]))
            return unbuilt[i];
    }
    return NULL;
}

/* "cluster keys": the beginning of commands, none by itself. */
static bool is_group(const char *typed)
{
    for (const struct command *command = commands; command->words != NULL; command++) {
        if (begins_with(command->words, typed))
            return true;
    }
    return false;
}

static void group_help(FILE *out, const char *typed)
{
    fprintf(out, "usage: gwctl %s COMMAND [options]\n\nCommands:\n", typed);
    for (const struct command *command = commands; command->words != NULL; command++) {
        char left[64];
        if (!begins_with(command->words, typed))
            continue;
        snprintf(left, sizeof left, "%s%s%s", command->words,
                 command->arguments[0] ? " " : "", command->arguments);
        fprintf(out, "  %-34s %s\n", left, command->summary);
    }
}

static int incomplete_command(const char *typed)
{
    char next[128];

    snprintf(next, sizeof next, "gwctl %.100s --help", typed);
    if (failure_is_document())
        return fail(GW_USAGE, next, "'%s' needs one of its commands", typed);
    group_help(stderr, typed);
    return fail(GW_USAGE, next, "'%s' needs one of these", typed);
}

static int unknown_command(const char *typed)
{
    const char *best = NULL, *own = typed;
    size_t best_distance = 4;
    char next[128];

    if (strncmp(typed, "cluster ", 8) == 0)
        own += 8;
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
        bool is_habit = begins_with(typed, habits[i].typed) ||
                        (own != typed && begins_with(own, habits[i].typed) &&
                         begins_with(habits[i].meant, "cluster"));
        if (is_habit) {
            snprintf(next, sizeof next, "gwctl %s%s", habits[i].meant,
                     unbuilt_name(habits[i].meant) != NULL ? " (not in this version yet)"
                                                           : "");
            return fail(GW_USAGE, next, "there is no command '%s' here", habits[i].typed);
        }
    }
    if (unbuilt_name(typed) != NULL)
        return fail(GW_USAGE, "gwctl --help", "'%s' is not available in this version",
                    unbuilt_name(typed));
    for (const struct command *command = commands; command->words != NULL; command++) {
        size_t distance = slice_distance(slice_from_string(typed),
                                         slice_from_string(command->words), best_distance);
        if (distance < best_distance) {
            best = command->words;
            best_distance = distance;
        }
    }
    snprintf(next, sizeof next, "gwctl %s", best != NULL ? best : "--help");
    return fail(GW_USAGE, next, "unknown command '%s'", typed);
}

/* The longest row whose words the first words are. */
static const struct command *match(char *const *words, int count, int *ret_used)
{
    const struct command *best = NULL;

    *ret_used = 0;
    for (const struct command *command = commands; command->words != NULL; command++) {
        struct slice rest = slice_from_string(command->words), word;
        int used = 0;
        bool is_match = true;
        while (is_match && slice_next(&rest, ' ', &word)) {
            is_match = used < count && slice_equal(word, slice_from_string(words[used]));
            used++;
        }
        if (is_match && used > *ret_used) {
            best = command;
            *ret_used = used;
        }
    }
    return best;
}

static int set_global(struct invocation *invocation, const struct option *option,
                      const char *value, bool *ret_help)
{
    static const char *const formats[] = {"table", "wide", "json", "yaml", "name"};

    if (strcmp(option->name, "--context") == 0)
        invocation->context = value;
    else if (strcmp(option->name, "--endpoint") == 0) {
        invocation->endpoints = value;
        invocation->has_endpoints = true;
    } else if (strcmp(option->name, "--stale") == 0)
        invocation->stale = true;
    else if (strcmp(option->name, "--quiet") == 0)
        invocation->quiet = true;
    else if (strcmp(option->name, "--verbose") == 0)
        invocation->verbose = true;
    else if (strcmp(option->name, "--no-color") == 0)
        invocation->color = false;
    else if (strcmp(option->name, "--yes") == 0)
        invocation->yes = true;
    else if (strcmp(option->name, "--help") == 0)
        *ret_help = true;
    else if (strcmp(option->name, "--timeout") == 0) {
        invocation->has_timeout = true;
        if (!duration_parse(slice_from_string(value), &invocation->timeout_ms) ||
            invocation->timeout_ms == 0)
            return fail(GW_USAGE, "gwctl … --timeout 10s", "--timeout '%s' is no duration",
                        value);
    } else {
        for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
            if (strcmp(formats[i], value) == 0) {
                invocation->output = (enum output_format)i;
                failure_format(invocation->output);
                return EXIT_OK;
            }
        }
        return fail(GW_USAGE, "gwctl … -o json", "unknown output format '%s'", value);
    }
    return EXIT_OK;
}

/* Splits argv into words and options of `command` (NULL: only global ones are
 * known yet, and a value of an unknown option cannot be told from a word). */
static int sort_out(int argc, char **argv, const struct command *command, char **words,
                    int *ret_words, struct invocation *invocation, bool *ret_help)
{
    bool only_words = false;
    int count = 0;

    for (int i = 1; i < argc; i++) {
        char *text = argv[i];
        if (only_words || text[0] != '-' || text[1] == '\0') {
            if (count == COMMAND_ARGS_MAX)
                return fail(GW_USAGE, "gwctl --help", "too many arguments");
            words[count++] = text;
            continue;
        }
        if (strcmp(text, "--") == 0) {
            only_words = true;
            continue;
        }
        size_t size = text[1] == '-' ? strcspn(text, "=") : 2;
        const struct option *own =
            command != NULL ? find_option(command->options, text, size) : NULL;
        const struct option *option =
            own != NULL ? own : find_option(global_options, text, size);
        if (option == NULL) {
            if (command == NULL)
                continue; /* sorted out once the command is known */
            return fail_help(command, "unknown option '%.*s'", (int)size, text);
        }
        const char *value = "";
        if (option->value != NULL) {
            if (text[size] == '=')
                value = text + size + 1;
            else if (text[size] != '\0')
                value = text + size;
            else if (i + 1 < argc)
                value = argv[++i];
            else
                return fail(GW_USAGE, "gwctl --help", "option '%s' needs a value: %s",
                            option->name, option->value);
        } else if (text[size] != '\0') {
            return fail(GW_USAGE, "gwctl --help", "option '%s' takes no value",
                        option->name);
        }
        if (own == NULL) {
            int exit_code = set_global(invocation, option, value, ret_help);
            if (exit_code != EXIT_OK)
                return exit_code;
        } else if (invocation->option_count < COMMAND_OPTIONS_MAX) {
            invocation->options[invocation->option_count++] =
                (struct given_option){own, value};
        }
    }
    *ret_words = count;
    return EXIT_OK;
}

int command_parse(int argc, char **argv, struct invocation *ret_invocation, bool *ret_help)
{
    struct invocation invocation = {.timeout_ms = 10000,
                                    .color = getenv("NO_COLOR") == NULL};
    char *words[COMMAND_ARGS_MAX];
    int count, used;

    invocation.context = getenv("GWCTL_CONTEXT");
    invocation.endpoints = getenv("GWCTL_ENDPOINTS");
    const char *output = getenv("GWCTL_OUTPUT");
    if (output != NULL && output[0] != '\0') {
        int exit_code =
            set_global(&invocation, find_option(global_options, "-o", 2), output, ret_help);
        if (exit_code != EXIT_OK)
            return exit_code;
    }

    int exit_code = sort_out(argc, argv, NULL, words, &count, &invocation, ret_help);
    if (exit_code != EXIT_OK)
        return exit_code;
    invocation.command = match(words, count, &used);
    if (invocation.command == NULL) {
        char typed[256] = "";
        for (int i = 0; i < count && i < 3; i++)
            snprintf(typed + strlen(typed), sizeof typed - strlen(typed), "%s%s",
                     i ? " " : "", words[i]);
        if (count != 0 && is_group(typed)) {
            if (!*ret_help)
                return incomplete_command(typed);
            group_help(stdout, typed);
            return EXIT_OK;
        }
        if (count == 0 || *ret_help) {
            command_help(NULL);
            return *ret_help ? EXIT_OK : EXIT_USAGE;
        }
        return unknown_command(typed);
    }
    if (*ret_help) {
        command_help(invocation.command);
        return EXIT_OK;
    }
    exit_code =
        sort_out(argc, argv, invocation.command, words, &count, &invocation, ret_help);
    if (exit_code != EXIT_OK)
        return exit_code;
    for (int i = used; i < count; i++)
        invocation.arguments[invocation.argument_count++] = words[i];
    if (invocation.argument_count < invocation.command->min_arguments ||
        (invocation.command->max_arguments >= 0 &&
         invocation.argument_count > invocation.command->max_arguments)) {
        return fail_help(invocation.command, "usage: gwctl %s %s",
                         invocation.command->words, invocation.command->arguments);
    }
    *ret_invocation = invocation;
    return EXIT_OK;
}
