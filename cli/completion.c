/* Completion scripts, made from the command table: words, options, kinds. */
#include "cli/command.h"
#include "model/kind.h"

#include <stdio.h>

/* The distinct words at depth `depth` behind `prefix`. */
static void next_words(const char *prefix, char separator)
{
    struct slice seen[64];
    size_t count = 0, skip = strlen(prefix);

    for (const struct command *command = commands; command->words != NULL; command++) {
        struct slice rest = slice_from_string(command->words), word;
        if (!slice_starts_with(rest, slice_from_string(prefix)))
            continue;
        rest = slice_from(rest, skip);
        if (!slice_next(&rest, ' ', &word) || count == 64)
            continue;
        bool is_new = true;
        for (size_t i = 0; i < count; i++)
            is_new = is_new && !slice_equal(seen[i], word);
        if (!is_new)
            continue;
        seen[count++] = word;
        printf("%.*s%c", SLICE_ARG(word), separator);
    }
}

static void kinds(void)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        if (kind_is_supported(kind))
            printf("%s ", kind_word(kind));
    }
}

static void options_of(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        printf("%s ", options->name);
}

static void bash(void)
{
    printf("# bash completion for gwctl: eval \"$(gwctl completion bash)\"\n_gwctl() {\n"
           "  local cur=${COMP_WORDS[COMP_CWORD]} words='' i list=''\n"
           "  for ((i = 1; i < COMP_CWORD; i++)); do case ${COMP_WORDS[i]} in -*) ;; *) "
           "words+="
           "\"${words:+ }${COMP_WORDS[i]}\" ;; esac; done\n"
           "  case \"$words\" in\n  '') list='");
    next_words("", ' ');
    printf("' ;;\n");
    printf("  cluster) list='");
    next_words("cluster ", ' ');
    printf("' ;;\n  'cluster token') list='");
    next_words("cluster token ", ' ');
    printf("' ;;\n  context) list='");
    next_words("context ", ' ');
    printf(
        "' ;;\n  get|describe|delete|schema|set|patch|edit|history|rollback|watch) list='");
    kinds();
    printf("' ;;\n");
    printf("  'get '*|'describe '*|'delete '*|'set '*|'patch '*|'edit '*|'history "
           "'*|'rollback '*) list=$(gwctl get \"${words##* }\" -o name "
           "--timeout 300ms "
           "2>/dev/null | sed 's,.*/,,') ;;\n");
    for (const struct command *command = commands; command->words != NULL; command++) {
        if (command->options == NULL)
            continue;
        printf("  '%s') [[ $cur == -* ]] && list='", command->words);
        options_of(command->options);
        printf("' || COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n");
    }
    printf("  esac\n  [[ $cur == -* ]] && list+=' ");
    options_of(global_options);
    printf("'\n  COMPREPLY+=($(compgen -W \"$list\" -- \"$cur\"))\n}\ncomplete -F _gwctl "
           "gwctl\n");
}

static void zsh(void)
{
    printf("#compdef gwctl\nautoload -U +X bashcompinit && bashcompinit\n");
    bash();
}

static void fish(void)
{
    printf("complete -c gwctl -f\n");
    for (const struct command *command = commands; command->words != NULL; command++) {
        struct slice rest = slice_from_string(command->words), first, second;
        slice_next(&rest, ' ', &first);
        if (!slice_next(&rest, ' ', &second)) {
            printf("complete -c gwctl -n __fish_use_subcommand -a %.*s -d '%s'\n",
                   SLICE_ARG(first), command->summary);
            continue;
        }
        printf("complete -c gwctl -n '__fish_seen_subcommand_from %.*s' -a %.*s -d '%s'\n",
               SLICE_ARG(first), SLICE_ARG(second), command->summary);
    }
    for (const struct option *option = global_options; option->name != NULL; option++)
        printf("complete -c gwctl -l %s -d '%s'\n", option->name + 2, option->help);
}

int run_completion(struct invocation *invocation)
{
    const char *shell = invocation->arguments[0];

    if (strcmp(shell, "bash") == 0)
        bash();
    else if (strcmp(shell, "zsh") == 0)
        zsh();
    else if (strcmp(shell, "fish") == 0)
        fish();
    else
        return fail(GW_USAGE, "gwctl completion bash", "unknown shell '%s'", shell);
    return EXIT_OK;
}
