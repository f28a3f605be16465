/* Never an argument or a variable of the environment, which others can see. */
#include "pki/passphrase.h"

#include "cli/passphrase.h"
#include "pki/key.h"
#include "pki/keyfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static bool ask(const char *prompt, struct buffer *out)
{
    struct termios old, quiet;
    char line[LINE_MAX_BYTES];
    FILE *terminal = fopen("/dev/tty", "r+e");
    bool is_read = false;

    if (terminal == NULL)
        return false;
    int fd = fileno(terminal);
    fputs(prompt, terminal);
    fflush(terminal);
    if (tcgetattr(fd, &old) == 0) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fd, TCSAFLUSH, &quiet);
        is_read = fgets(line, sizeof line, terminal) != NULL;
        tcsetattr(fd, TCSAFLUSH, &old);
    }
    fputc('\n', terminal);
    fclose(terminal);
    if (is_read)
        buffer_append(out, line, strcspn(line, "\n"));
    explicit_bzero(line, sizeof line);
    return is_read;
}

static int ask_twice(bool twice, struct buffer *passphrase)
{
    struct buffer again;
    int exit_code = EXIT_OK;

    if (!ask("Passphrase: ", passphrase))
        return fail(GW_USAGE, "the same with --passphrase-file F",
                    "there is no terminal to ask for a passphrase");
    buffer_init(&again, LINE_MAX_BYTES);
    if (twice && (!ask("Once more: ", &again) ||
                  !slice_equal(buffer_slice(&again), buffer_slice(passphrase))))
        exit_code = fail(GW_INVALID, "the same again", "the two differ");
    key_buffer_wipe(&again);
    return exit_code;
}

int passphrase_read(const struct invocation *invocation, bool twice,
                    struct buffer *passphrase)
{
    const char *file = option_value(invocation, "--passphrase-file");
    struct error err = ERROR_NONE;
    struct buffer text;
    char chunk[256];
    size_t size;

    if (file == NULL)
        return ask_twice(twice, passphrase);
    buffer_init(&text, 0);
    if (strcmp(file, "-") == 0) {
        while ((size = fread(chunk, 1, sizeof chunk, stdin)) > 0)
            buffer_append(&text, chunk, size);
    } else if (keyfile_read(file, 64u << 10, &text, &err) != GW_OK) {
        key_buffer_wipe(&text);
        return fail_error(&err, "write the passphrase into a file, mode 0600");
    }
    struct slice rest = buffer_slice(&text), line = {"", 0};
    slice_next(&rest, '\n', &line);
    buffer_append_slice(passphrase, line);
    key_buffer_wipe(&text);
    explicit_bzero(chunk, sizeof chunk);
    return EXIT_OK;
}

int passphrase_open(const struct invocation *invocation, const char *file,
                    struct seal_key *ret_key, struct passphrase_about *ret_about)
{
    struct passphrase_about about;
    struct buffer text, passphrase;
    struct error err = ERROR_NONE;
    char why[512];

    buffer_init(&text, 0);
    buffer_init(&passphrase, LINE_MAX_BYTES);
    int exit_code = EXIT_OK;
    if (keyfile_read(file, PASSPHRASE_FILE_MAX, &text, &err) != GW_OK)
        exit_code =
            fail_error(&err, "gwctl cluster keys export F, while the cluster lives");
    else
        exit_code = passphrase_read(invocation, false, &passphrase);
    if (exit_code == EXIT_OK &&
        passphrase_unwrap(buffer_slice(&text), buffer_slice(&passphrase), ret_key, &about,
                          &err) != GW_OK) {
        snprintf(why, sizeof why, "%s", err.text);
        error_set(&err, err.code, "'%s' %s", file, why);
        exit_code = fail_error(&err, "the same again with the right file and passphrase");
    } else if (exit_code == EXIT_OK && ret_about != NULL) {
        *ret_about = about;
    }
    key_buffer_wipe(&passphrase);
    buffer_deinit(&text);
    return exit_code;
}
