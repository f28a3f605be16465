/* set, patch, edit: one object changed where it is.
 *
 * patch is a merge on the server. set and edit read the object, change it here and
 * send it back on condition that nobody changed it meanwhile; set then simply does
 * it again, since a field means the same on the newer object, an edit is kept for
 * the person who made it. */
#include "cli/output.h"
#include "cli/send.h"
#include "model/assign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SET_TRIES 8

static void write_path(struct buffer *path, enum kind kind, const char *name)
{
    buffer_printf(path, "/v1/resources/%s/", kind_word(kind));
    target_encode(path, slice_from_string(name));
}

/* The object as it was given, and where it stands. */
static int fetch(const struct invocation *invocation, enum kind kind,
                 struct answer *ret_answer)
{
    struct buffer target;

    buffer_init(&target, 8192);
    write_path(&target, kind, invocation->arguments[1]);
    buffer_append_slice(&target, SLICE("?export=true"));
    int exit_code = client_get(invocation, buffer_slice(&target), ret_answer);
    buffer_deinit(&target);
    return exit_code;
}

static void write_condition(struct emit *emit, enum kind kind, const char *name,
                            const struct answer *answer)
{
    struct slice etag = slice_from_string(answer->etag);

    if (etag.size > 2)
        etag = slice_sub(etag, 1, etag.size - 2);
    emit_key(emit, "preconditions");
    emit_array(emit);
    emit_object(emit);
    emit_key(emit, "kind");
    emit_cstring(emit, kind_name(kind));
    emit_key(emit, "name");
    emit_cstring(emit, name);
    emit_key(emit, "revision");
    emit_string(emit, etag);
    emit_object_end(emit);
    emit_array_end(emit);
}

static void write_message(struct emit *emit, const struct invocation *invocation)
{
    const char *message = option_value(invocation, "--message");

    if (message == NULL)
        return;
    emit_key(emit, "message");
    emit_cstring(emit, message);
}

/* ---- set ---- */

static int set_once(const struct invocation *invocation, enum kind kind, bool is_last,
                    bool *ret_again)
{
    struct answer answer, applied;
    struct error err = ERROR_NONE;
    struct send send;
    struct emit emit;
    int exit_code = fetch(invocation, kind, &answer);

    *ret_again = false;
    if (exit_code != EXIT_OK)
        return exit_code;
    for (int i = 2; i < invocation->argument_count && err.code == GW_OK; i++)
        assign(&answer.arena, answer.root, slice_from_string(invocation->arguments[i]),
               &err);
    if (err.code != GW_OK) {
        answer_free(&answer);
        return fail_error(&err, "gwctl set KIND NAME FIELD=VALUE; gwctl schema KIND");
    }
    send_init(&send, invocation, "POST", "/v1/apply");
    emit_init(&emit, &send.body, false);
    emit_object(&emit);
    emit_key(&emit, "objects");
    emit_array(&emit);
    value_emit(&emit, answer.root);
    emit_array_end(&emit);
    write_condition(&emit, kind, invocation->arguments[1], &answer);
    write_message(&emit, invocation);
    emit_object_end(&emit);
    if (send_ask(&send, &applied, &exit_code) == GW_OK) {
        *ret_again = applied.status == 412 && !is_last;
        if (*ret_again)
            answer_free(&applied);
        else
            exit_code = send_tell(&send, &applied);
    }
    send_deinit(&send);
    answer_free(&answer);
    return exit_code;
}

int run_set(struct invocation *invocation)
{
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    int exit_code =
        kind == KIND_NONE ? fail_kind(invocation->arguments[0]) : send_check(invocation);
    bool again = exit_code == EXIT_OK;

    for (int i = 1; again; i++)
        exit_code = set_once(invocation, kind, i == SET_TRIES, &again);
    return exit_code;
}

/* ---- patch ---- */

int run_patch(struct invocation *invocation)
{
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    const char *patch = option_value(invocation, "--patch");
    const char *message = option_value(invocation, "--message");
    struct error err = ERROR_NONE;
    struct buffer path;
    struct arena arena;
    struct send send;
    int exit_code =
        kind == KIND_NONE ? fail_kind(invocation->arguments[0]) : send_check(invocation);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (patch == NULL)
        return fail_help(invocation->command, "-p is needed: a JSON merge patch");
    arena_init(&arena, 0, 0);
    const struct value *value = json_read(&arena, slice_from_string(patch), &err);
    bool is_map = value != NULL && value->type == VALUE_MAP;
    arena_deinit(&arena);
    if (!is_map)
        return fail(GW_USAGE,
                    "gwctl patch route NAME -p '{\"spec\": {\"timeout\": \"2s\"}}'",
                    "-p is no JSON object%s%s", err.text[0] != '\0' ? ": " : "", err.text);
    buffer_init(&path, 4096);
    write_path(&path, kind, invocation->arguments[1]);
    buffer_append_byte(&path, '\0');
    send_init(&send, invocation, "PATCH", path.data);
    if (message != NULL)
        send_query(&send, "message", slice_from_string(message));
    buffer_append_slice(&send.body, slice_from_string(patch));
    exit_code = send_run(&send);
    send_deinit(&send);
    buffer_deinit(&path);
    return exit_code;
}

/* ---- edit ---- */

/* output_yaml writes to stdout: that is the file for as long as it takes. */
static bool write_yaml(int fd, const struct value *root)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);

    if (saved < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return false;
    output_yaml(root);
    bool ok = fflush(stdout) == 0;
    dup2(saved, STDOUT_FILENO);
    close(saved);
    return ok;
}

static bool make_file(char *path, size_t size, const struct value *root, enum kind kind)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, size, "%s/gwctl-%s-XXXXXX.yaml",
             folder != NULL && folder[0] != '\0' ? folder : "/tmp", kind_word(kind));
    int fd = mkstemps(path, 5);
    if (fd < 0)
        return false;
    bool ok = write_yaml(fd, root);
    close(fd);
    return ok;
}

/* The editor may be a command with options: it is the shell's to split. */
static int run_editor(const char *path)
{
    const char *editor = getenv("VISUAL");
    char command[4096];

    if (editor == NULL || editor[0] == '\0')
        editor = getenv("EDITOR");
    if (editor == NULL || editor[0] == '\0')
        editor = "vi";
    snprintf(command, sizeof command, "%s '%s'", editor, path);
    int status = system(command);
    if (status == 0)
        return EXIT_OK;
    return fail(GW_FAILED, "set EDITOR to an editor, or: gwctl set KIND NAME FIELD=VALUE",
                "the editor '%s' ended with an error; nothing is changed", editor);
}

static bool is_untouched(const struct files *files, enum kind kind,
                         const struct value *root)
{
    struct problems problems;

    problems_init(&problems);
    struct resource *before = resource_decode(root, SLICE(""), 0, &problems);
    const struct resource *after =
        files->change.count == 1 ? files->change.items[0].resource : NULL;
    bool same = before != NULL && after != NULL && after->kind == kind &&
                slice_equal(before->name, after->name) && resource_equal(before, after);
    resource_unref(before);
    problems_deinit(&problems);
    return same;
}

/* What was edited, on its way. */
static int send_edited(const struct invocation *invocation, struct files *files,
                       enum kind kind, const struct answer *answer)
{
    const char *name = invocation->arguments[1];
    struct send send;
    struct emit emit;

    if (problems_failed(&files->problems)) {
        files_check_alone(files);
        files_complain(files, invocation);
        return EXIT_INVALID;
    }
    if (files->change.count != 1 || files->change.items[0].kind != kind ||
        !slice_equal(files->change.items[0].name, slice_from_string(name)))
        return fail(GW_INVALID, "gwctl apply -f FILE makes other objects",
                    "an edit keeps the kind and the name of its one object, %s/%s",
                    kind_name(kind), name);
    send_init(&send, invocation, "POST", "/v1/apply");
    emit_init(&emit, &send.body, false);
    source_emit_objects(&emit, &files->source);
    write_condition(&emit, kind, name, answer);
    write_message(&emit, invocation);
    emit_object_end(&emit);
    files->problems.count = 0;
    files->problems.warnings = 0;
    send.files = files;
    int exit_code = send_run(&send);
    send_deinit(&send);
    return exit_code;
}

int run_edit(struct invocation *invocation)
{
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    struct answer answer;
    struct files files;
    char path[1024];
    int exit_code =
        kind == KIND_NONE ? fail_kind(invocation->arguments[0]) : send_check(invocation);

    if (exit_code == EXIT_OK)
        exit_code = fetch(invocation, kind, &answer);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (!make_file(path, sizeof path, answer.root, kind)) {
        answer_free(&answer);
        return fail(GW_FAILED, "set TMPDIR to where there is room", "%s: %s", path,
                    strerror(errno));
    }
    exit_code = run_editor(path);
    if (exit_code != EXIT_OK) {
        unlink(path);
        answer_free(&answer);
        return exit_code;
    }
    exit_code = files_open_one(&files, path);
    if (exit_code == EXIT_OK && is_untouched(&files, kind, answer.root)) {
        if (!invocation->quiet)
            printf("%s/%s unchanged\n", kind_word(kind), invocation->arguments[1]);
    } else if (exit_code == EXIT_OK) {
        exit_code = send_edited(invocation, &files, kind, &answer);
    }
    files_close(&files);
    answer_free(&answer);
    if (exit_code == EXIT_OK || exit_code == EXIT_TIMEOUT)
        unlink(path);
    else
        fprintf(stderr, "what you wrote is kept: gwctl apply -f %s\n", path);
    return exit_code;
}
