/* Off a terminal nobody can be asked, so --yes is needed there; the consequence is
 * printed all the same, on stderr, where it does not mix with answers. */
#include "cli/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int confirm(const struct invocation *invocation, const char *format, ...)
{
    char answer[16] = "";
    va_list args;

    if (!invocation->quiet || !invocation->yes) {
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
    }
    if (invocation->yes)
        return EXIT_OK;
    if (!isatty(STDIN_FILENO))
        return fail(GW_USAGE, "the same with --yes",
                    "nothing was done: --yes is needed here");
    fputs("Go on? [y/N] ", stderr);
    if (fgets(answer, sizeof answer, stdin) != NULL &&
        (answer[0] == 'y' || answer[0] == 'Y'))
        return EXIT_OK;
    return fail(GW_FAILED, NULL, "nothing was done");
}
