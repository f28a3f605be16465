#include "cli/context.h"

#include "base/buffer.h"
#include "base/emit.h"
#include "cli/command.h"
#include "model/problems.h"
#include "model/value.h"
#include "pki/key.h"
#include "pki/keyfile.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTEXT_FILE_MAX (1u << 20)
#define PATH_SIZE        1024

/* The folder, which need not be there; false without a home. */
static bool folder(char out[PATH_SIZE])
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int size;

    if (base != NULL && base[0] == '/')
        size = snprintf(out, PATH_SIZE, "%s", base);
    else if (home != NULL && home[0] == '/')
        size = snprintf(out, PATH_SIZE, "%s/.config", home);
    else
        return false;
    if (size < 0 || size > PATH_SIZE - 256)
        return false;
    strcat(out, "/gwctl");
    return true;
}

/* For a new context: who only looks leaves no traces in a home. Whether it went well shows
 * when the file is written. */
static void make_folder(void)
{
    char path[PATH_SIZE];

    if (!folder(path))
        return;
    char *last = strrchr(path, '/');
    *last = '\0';
    mkdir(path, 0700);
    *last = '/';
    mkdir(path, 0700);
}

static bool is_context_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strlen(name) < 100 &&
           strpbrk(name, "/\\\n") == NULL && strcmp(name, "current") != 0;
}

static bool path_of(const char *name, char out[PATH_SIZE])
{
    if (!folder(out) || !is_context_name(name))
        return false;
    snprintf(out + strlen(out), PATH_SIZE - strlen(out), "/%s.yaml", name);
    return true;
}

static bool current_name(char *out, size_t size)
{
    char path[PATH_SIZE];
    struct buffer text;
    struct error err = ERROR_NONE;

    if (!folder(path))
        return false;
    strcat(path, "/current");
    buffer_init(&text, 4096);
    bool has =
        keyfile_read(path, 256, &text, &err) == GW_OK && text.size > 0 && text.size < size;
    if (has)
        snprintf(out, size, "%.*s", SLICE_ARG(slice_trim(buffer_slice(&text))));
    buffer_deinit(&text);
    out[strcspn(out, "\n")] = '\0';
    return has;
}

static enum result set_current(const char *name, struct error *err)
{
    char path[PATH_SIZE];

    if (!folder(path))
        return error_set(err, GW_FAILED, "no home directory; set XDG_CONFIG_HOME");
    strcat(path, "/current");
    return keyfile_write(path, slice_from_string(name), 0600, err);
}

static enum result parse(struct slice text, const char *path, struct arena *arena,
                         struct context *ret_context, struct error *err)
{
    struct problems problems;
    struct buffer endpoints;

    problems_init(&problems);
    struct value *list = yaml_read(arena, slice_from_string(path), text, &problems);
    const struct value *root = list != NULL ? list->first : NULL;
    problems_deinit(&problems);
    *ret_context = (struct context){
        .cluster_id = value_text(root, "clusterId"),
        .cluster_name = value_text(root, "clusterName"),
        .ca = value_text(root, "ca"),
        .certificate = value_text(root, "certificate"),
        .key = value_text(root, "key"),
    };
    const struct value *items = value_get(root, "endpoints");
    buffer_init(&endpoints, 8192);
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next)
        buffer_printf(&endpoints, "%s%.*s", endpoints.size > 0 ? "," : "",
                      SLICE_ARG(item->text));
    ret_context->endpoints = arena_copy(arena, buffer_slice(&endpoints));
    buffer_deinit(&endpoints);
    if (ret_context->ca.size == 0 || ret_context->certificate.size == 0 ||
        ret_context->key.size == 0 || ret_context->endpoints.size == 0)
        return error_set(
            err, GW_MALFORMED,
            "'%s' is no admin.yaml: ca, certificate, key and endpoints are needed", path);
    return GW_OK;
}

enum result context_load(const char *name, struct arena *arena, struct context *ret_context,
                         struct error *err)
{
    char path[PATH_SIZE], current[128];
    struct buffer text;
    struct stat info;

    if (name == NULL || name[0] == '\0') {
        if (!current_name(current, sizeof current))
            return error_set(err, GW_NOT_FOUND, "no current context");
        name = current;
    }
    if (!path_of(name, path))
        return error_set(err, GW_USAGE, "'%s' is no name for a context", name);
    if (stat(path, &info) != 0)
        return error_set(err, GW_NOT_FOUND, "no context '%s'", name);
    if ((info.st_mode & 077) != 0)
        return error_set(err, GW_FORBIDDEN,
                         "'%s' holds a key and may be read by others; next: chmod 600 '%s'",
                         path, path);
    buffer_init(&text, CONTEXT_FILE_MAX);
    enum result result = keyfile_read(path, CONTEXT_FILE_MAX, &text, err);
    if (result == GW_OK)
        result =
            parse(arena_copy(arena, buffer_slice(&text)), path, arena, ret_context, err);
    buffer_deinit(&text);
    ret_context->name = arena_copy(arena, slice_from_string(name));
    return result;
}

/* The same with other endpoints: of a cluster that is reached from here in another way than
 * its nodes know of, as by ports that a container publishes. */
static enum result with_endpoints(const struct context *context, const char *endpoints,
                                  struct buffer *out, struct error *err)
{
    struct slice rest = slice_from_string(endpoints), endpoint;
    struct emit emit;

    emit_init(&emit, out, true);
    emit_object(&emit);
    emit_key(&emit, "clusterId");
    emit_string(&emit, context->cluster_id);
    if (context->cluster_name.size > 0) {
        emit_key(&emit, "clusterName");
        emit_string(&emit, context->cluster_name);
    }
    emit_key(&emit, "endpoints");
    emit_array(&emit);
    while (slice_next(&rest, ',', &endpoint)) {
        endpoint = slice_trim(endpoint);
        if (!slice_starts_with(endpoint, SLICE("https://")))
            return error_set(err, GW_USAGE,
                             "endpoint '%.*s' is not https://HOST:PORT, which a context is "
                             "for",
                             SLICE_ARG(endpoint));
        emit_string(&emit, endpoint);
    }
    emit_array_end(&emit);
    emit_key(&emit, "ca");
    emit_string(&emit, context->ca);
    emit_key(&emit, "certificate");
    emit_string(&emit, context->certificate);
    emit_key(&emit, "key");
    emit_string(&emit, context->key);
    emit_object_end(&emit);
    buffer_append_byte(out, '\n');
    return out->failed ? error_set(err, GW_NO_MEMORY, "out of memory") : GW_OK;
}

enum result context_renew(const struct context *context, struct slice ca,
                          struct slice certificate, struct slice key, struct error *err)
{
    struct context fresh = *context;
    struct buffer endpoints, out;
    char path[PATH_SIZE], name[128];

    fresh.ca = ca;
    fresh.certificate = certificate;
    fresh.key = key;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(context->name));
    buffer_init(&endpoints, 8192);
    buffer_init(&out, CONTEXT_FILE_MAX);
    buffer_printf(&endpoints, "%.*s", SLICE_ARG(context->endpoints));
    buffer_append_byte(&endpoints, '\0');
    if (endpoints.failed || !path_of(name, path))
        error_set(err, GW_USAGE, "'%s' is no name for a context", name);
    else if (with_endpoints(&fresh, endpoints.data, &out, err) == GW_OK)
        keyfile_write(path, buffer_slice(&out), 0600, err);
    buffer_deinit(&endpoints);
    key_buffer_wipe(&out);
    return err->code;
}

int run_context_import(struct invocation *invocation)
{
    const char *file = invocation->arguments[0];
    const char *name = option_value(invocation, "--name");
    struct error err = ERROR_NONE;
    struct context context;
    struct arena arena;
    struct buffer text, other;
    char path[PATH_SIZE], own[128];

    arena_init(&arena, 0, 0);
    buffer_init(&text, CONTEXT_FILE_MAX);
    buffer_init(&other, CONTEXT_FILE_MAX);
    if (keyfile_read(file, CONTEXT_FILE_MAX, &text, &err) == GW_OK &&
        parse(buffer_slice(&text), file, &arena, &context, &err) == GW_OK) {
        if (name == NULL) {
            struct slice chosen =
                context.cluster_name.size > 0 ? context.cluster_name : SLICE("default");
            snprintf(own, sizeof own, "%.*s", SLICE_ARG(chosen));
            name = own;
        }
        if (!path_of(name, path)) {
            error_set(&err, GW_USAGE, "'%s' is no name for a context", name);
        } else if (!invocation->has_endpoints ||
                   with_endpoints(&context, invocation->endpoints, &other, &err) == GW_OK) {
            make_folder();
            if (keyfile_write(path, buffer_slice(other.size > 0 ? &other : &text), 0600,
                              &err) == GW_OK)
                set_current(name, &err);
        }
    }
    key_buffer_wipe(&text);
    key_buffer_wipe(&other);
    arena_deinit(&arena);
    if (err.code != GW_OK)
        return fail_error(&err, "gwctl context import D/admin.yaml");
    if (!invocation->quiet)
        printf("context '%s' is now the current one\n", name);
    return EXIT_OK;
}

int run_context_list(struct invocation *invocation)
{
    char path[PATH_SIZE], current[128] = "";
    struct dirent *entry;

    (void)invocation;
    if (!folder(path))
        return fail(GW_FAILED, "set XDG_CONFIG_HOME", "no home directory");
    current_name(current, sizeof current);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (size < 6 || strcmp(entry->d_name + size - 5, ".yaml") != 0)
            continue;
        entry->d_name[size - 5] = '\0';
        printf("%c %s\n", strcmp(entry->d_name, current) == 0 ? '*' : ' ', entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return EXIT_OK;
}

int run_context_use(struct invocation *invocation)
{
    struct error err = ERROR_NONE;
    char path[PATH_SIZE];

    if (!path_of(invocation->arguments[0], path) || access(path, R_OK) != 0)
        return fail(GW_NOT_FOUND, "gwctl context list", "no context '%s'",
                    invocation->arguments[0]);
    if (set_current(invocation->arguments[0], &err) != GW_OK)
        return fail_error(&err, NULL);
    return EXIT_OK;
}

int run_context_rm(struct invocation *invocation)
{
    char path[PATH_SIZE];

    if (!path_of(invocation->arguments[0], path) || unlink(path) != 0)
        return fail(GW_NOT_FOUND, "gwctl context list", "no context '%s'",
                    invocation->arguments[0]);
    return EXIT_OK;
}
