#include "cli/files.h"

#include "model/problem_document.h"
#include "pki/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX VALUE_DOCUMENT_MAX

static const char *from_environment(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

/* Content files stand relative to the YAML file that names them. */
static bool read_content(void *context, struct arena *arena, struct slice file,
                         struct slice path, struct slice *ret_content, struct error *err)
{
    struct buffer text;
    size_t folder = file.size;
    struct slice full = path;

    (void)context;
    while (folder > 0 && file.data[folder - 1] != '/')
        folder--;
    if (path.size > 0 && path.data[0] != '/' && folder > 0)
        full = arena_printf(arena, "%.*s%.*s", (int)folder, file.data, SLICE_ARG(path));
    buffer_init(&text, FILE_MAX);
    bool is_read = keyfile_read(arena_string(arena, full), FILE_MAX, &text, err) == GW_OK;
    if (is_read)
        *ret_content = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return is_read;
}

static int add_stream(struct files *files, FILE *stream, const char *name)
{
    struct buffer text;
    size_t size;
    int exit_code = EXIT_OK;

    buffer_init(&text, FILE_MAX);
    for (;;) {
        char *room = buffer_reserve(&text, 65536);
        if (room == NULL) {
            exit_code = fail(GW_INVALID, "split it into several files",
                             "%s: larger than 16 MiB", name);
            break;
        }
        size = fread(room, 1, 65536, stream);
        buffer_commit(&text, size);
        if (size == 0)
            break;
    }
    if (exit_code == EXIT_OK)
        source_add(&files->source, slice_from_string(name), buffer_slice(&text),
                   &files->problems);
    buffer_deinit(&text);
    return exit_code;
}

static int add_file(struct files *files, const char *path)
{
    FILE *stream = fopen(path, "rb");
    int exit_code;

    if (stream == NULL)
        return fail(GW_FAILED, "gwctl … -f FILE", "%s: %s", path, strerror(errno));
    exit_code = add_stream(files, stream, path);
    fclose(stream);
    return exit_code;
}

static bool is_configuration(const char *name)
{
    const char *ending = strrchr(name, '.');

    return name[0] != '.' && ending != NULL &&
           (strcmp(ending, ".yaml") == 0 || strcmp(ending, ".yml") == 0 ||
            strcmp(ending, ".json") == 0);
}

static int add_folder(struct files *files, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort), exit_code = EXIT_OK;

    if (count < 0)
        return fail(GW_FAILED, NULL, "%s: cannot be read", path);
    for (int i = 0; i < count; i++) {
        char full[2048];
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        if (exit_code == EXIT_OK && is_configuration(entries[i]->d_name))
            exit_code = add_file(files, full);
        free(entries[i]);
    }
    free(entries);
    return exit_code;
}

/* The names of --env as a list that ends with NULL. */
static const char **allowed_names(struct arena *arena, const char *names)
{
    struct slice rest = slice_from_string(names), name;
    const char **list = arena_zalloc(arena, (rest.size + 2) * sizeof *list);
    size_t count = 0;

    while (list != NULL && slice_next(&rest, ',', &name))
        list[count++] = arena_string(arena, slice_trim(name));
    return list;
}

static bool is_told_on_line(const struct problems *problems, size_t count,
                            const struct problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        if (problems->items[i].line == problem->line &&
            slice_equal(problems->items[i].file, problem->file))
            return true;
    }
    return false;
}

/* A value whose variable is not set is of no type either: once is enough to say so. */
static void decode(struct files *files)
{
    struct problems found;
    size_t told = files->problems.count;
    char code[64];

    if (told == 0) {
        source_decode(&files->source, &files->change, &files->problems);
        return;
    }
    problems_init(&found);
    source_decode(&files->source, &files->change, &found);
    for (size_t i = 0; i < found.count; i++) {
        const struct problem *problem = &found.items[i];
        if (is_told_on_line(&files->problems, told, problem))
            continue;
        snprintf(code, sizeof code, "%.*s", SLICE_ARG(problem->code));
        problems_add(&files->problems, problem, code, "%.*s", SLICE_ARG(problem->message));
    }
    problems_deinit(&found);
}

int files_open(struct files *files, const struct invocation *invocation)
{
    const char *path;
    int exit_code = EXIT_OK, position = 0;

    memset(files, 0, sizeof *files);
    source_init(&files->source);
    change_init(&files->change);
    problems_init(&files->problems);
    while (exit_code == EXIT_OK &&
           (path = option_next(invocation, "--file", &position)) != NULL) {
        struct stat info;
        if (strcmp(path, "-") == 0)
            exit_code = add_stream(files, stdin, "-");
        else if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            exit_code = add_folder(files, path);
        else
            exit_code = add_file(files, path);
    }
    if (position == 0 || option_value(invocation, "--file") == NULL)
        exit_code =
            fail(GW_USAGE, "gwctl … -f FILE", "-f is needed: a file, a directory or -");
    if (exit_code != EXIT_OK)
        return exit_code;

    const char *names = option_value(invocation, "--env");
    struct environment environment = {
        .get = from_environment,
        .allowed = names != NULL ? allowed_names(&files->source.arena, names) : NULL,
    };
    bool is_read = !problems_failed(&files->problems);
    if (is_read && option_value(invocation, "--no-env") == NULL)
        source_substitute(&files->source, &environment, &files->problems);
    if (is_read)
        source_load_content(&files->source, read_content, NULL, &environment,
                            &files->problems);
    if (is_read)
        decode(files);
    files->is_decoded = is_read;
    return EXIT_OK;
}

int files_open_one(struct files *files, const char *path)
{
    memset(files, 0, sizeof *files);
    source_init(&files->source);
    change_init(&files->change);
    problems_init(&files->problems);
    int exit_code = add_file(files, path);
    files->is_decoded = exit_code == EXIT_OK && !problems_failed(&files->problems);
    if (files->is_decoded)
        decode(files);
    return exit_code;
}

void files_close(struct files *files)
{
    change_deinit(&files->change);
    problems_deinit(&files->problems);
    source_deinit(&files->source);
}

/* References to names that nobody defines may be to what the cluster holds, or to what
 * stands in a text that could not be read, so only near misses are told of them. */
static void keep_sure(struct problems *into, const struct problems *from)
{
    char code[64];

    for (size_t i = 0; i < from->count; i++) {
        const struct problem *problem = &from->items[i];
        if (slice_equal(problem->code, SLICE("not_defined")) && problem->hint.size == 0)
            continue;
        snprintf(code, sizeof code, "%.*s", SLICE_ARG(problem->code));
        problems_add(into, problem, code, "%.*s", SLICE_ARG(problem->message));
    }
}

static void check(struct files *files, const struct catalog *known, bool is_all)
{
    struct catalog catalog;
    struct problems found;

    if (known != NULL)
        catalog_clone(known, &catalog);
    else
        catalog_init(&catalog);
    catalog_apply(&catalog, &files->change, NULL, NULL);
    problems_init(&found);
    catalog_check(&catalog, &files->change, NULL, 0, is_all ? &files->problems : &found);
    if (!is_all)
        keep_sure(&files->problems, &found);
    problems_deinit(&found);
    catalog_deinit(&catalog);
}

void files_check(struct files *files, const struct catalog *known)
{
    check(files, known, files->is_decoded);
}

void files_check_alone(struct files *files)
{
    check(files, NULL, false);
}

bool files_complain(struct files *files, const struct invocation *invocation)
{
    bool has_errors = problems_failed(&files->problems);
    struct buffer text;

    if (files->problems.count == 0 || (invocation->quiet && !has_errors))
        return has_errors;
    buffer_init(&text, 0);
    source_locate(&files->source, &files->problems);
    if (invocation->output == OUTPUT_JSON && has_errors) {
        struct error err;
        error_set(&err, GW_INVALID, "%.*s", SLICE_ARG(problems_first(&files->problems)));
        problem_write(&text, &err, &(struct problem_extra){.problems = &files->problems});
        buffer_append_byte(&text, '\n');
    } else {
        source_print(&files->source, &files->problems, &text);
    }
    if (text.size > 0)
        fwrite(text.data, 1, text.size, stderr);
    buffer_deinit(&text);
    return has_errors;
}
