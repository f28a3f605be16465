/* Small files, each written whole or not at all (pki/keyfile.h). gwd.yaml is
 * written by hand rather than through the schema: it is a person's from then on. */
#include "cli/offline/directory.h"

#include "model/units.h"
#include "pki/identity.h"
#include "pki/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

const char *directory_path(const struct offline_options *options, const char *name,
                           char *out)
{
    snprintf(out, DIRECTORY_PATH, "%.4000s/%.150s", options->data_dir, name);
    return out;
}

const char *directory_peer(const struct offline_options *options)
{
    return options->peer != NULL ? options->peer : "127.0.0.1:7000";
}

const char *directory_admin(const struct offline_options *options)
{
    return options->admin != NULL ? options->admin : "127.0.0.1:7001";
}

static const char *health_of(const struct offline_options *options)
{
    return options->health != NULL ? options->health : "127.0.0.1:7002";
}

static bool is_loopback(struct slice host)
{
    return slice_starts_with(host, SLICE("127.")) || slice_equal(host, SLICE("::1")) ||
           slice_equal(host, SLICE("localhost"));
}

/* --- checking -------------------------------------------------------------- */

static enum result check_name(const char *option, const char *value, bool needed,
                              struct error *err)
{
    if (value == NULL || value[0] == '\0')
        return needed ? error_set(err, GW_USAGE, "%s is needed", option) : GW_OK;
    if (!name_is_valid(slice_from_string(value)))
        return error_set(err, GW_INVALID,
                         "%s is '%s': a name of a-z, 0-9 and '-' is needed, 63 at most",
                         option, value);
    return GW_OK;
}

static enum result check_address(const char *option, const char *value, bool may_be_empty,
                                 struct error *err)
{
    struct slice host;
    uint16_t port;

    if (value == NULL ||
        host_port_parse(slice_from_string(value), may_be_empty, &host, &port))
        return GW_OK;
    return error_set(err, GW_INVALID, "%s is '%s': %s is needed", option, value,
                     may_be_empty ? "address:port or :port" : "host:port");
}

static enum result check_options(const struct offline_options *options, struct error *err)
{
    if (options->data_dir == NULL || options->data_dir[0] == '\0')
        return error_set(err, GW_USAGE, "--data-dir is needed");
    if (check_name("--name", options->name, true, err) != GW_OK ||
        check_name("--region", options->region, true, err) != GW_OK ||
        check_name("--zone", options->zone, false, err) != GW_OK ||
        check_name("--cluster", options->cluster, false, err) != GW_OK ||
        check_address("--peer", options->peer, false, err) != GW_OK ||
        check_address("--peer-listen", options->peer_listen, true, err) != GW_OK ||
        check_address("--admin", options->admin, true, err) != GW_OK ||
        check_address("--health", options->health, true, err) != GW_OK)
        return err->code;
    for (size_t i = 0; i < options->listener_count; i++) {
        struct slice host;
        uint16_t port;
        if (!name_is_valid(options->listeners[i].name) ||
            !host_port_parse(options->listeners[i].bind, true, &host, &port))
            return error_set(err, GW_INVALID,
                             "--listener is '%.*s=%.*s': NAME=ADDRESS:PORT is needed",
                             SLICE_ARG(options->listeners[i].name),
                             SLICE_ARG(options->listeners[i].bind));
    }
    return GW_OK;
}

enum result directory_open(const struct offline_options *options,
                           struct offline_made *ret_made, bool *ret_was_there,
                           struct error *err)
{
    char path[DIRECTORY_PATH];
    struct identity_file identity;

    *ret_was_there = false;
    if (check_options(options, err) != GW_OK)
        return err->code;
    enum result result =
        identity_file_read(directory_path(options, "identity", path), &identity, err);
    if (result == GW_OK && options->replace && strcmp(identity.name, options->name) == 0)
        return GW_OK;
    if (result == GW_OK) {
        if (!options->if_needed || strcmp(identity.name, options->name) != 0)
            return error_set(err, GW_CONFLICT, "'%s' is node '%s' of cluster %s already%s",
                             options->data_dir, identity.name, identity.cluster_id,
                             strcmp(identity.name, options->name) == 0
                                 ? ": nothing to do (--if-needed accepts that)"
                                 : ": choose another directory");
        memset(ret_made, 0, sizeof *ret_made);
        snprintf(ret_made->cluster_id, sizeof ret_made->cluster_id, "%s",
                 identity.cluster_id);
        snprintf(ret_made->name, sizeof ret_made->name, "%s", identity.name);
        ret_made->node_id = identity.node_id;
        ret_made->was_there = true;
        *ret_was_there = true;
        return GW_OK;
    }
    if (result != GW_NOT_FOUND)
        return result;
    *err = ERROR_NONE;
    if (mkdir(options->data_dir, 0700) != 0 && errno != EEXIST)
        return error_set(err, GW_IO, "make the directory '%s': %s", options->data_dir,
                         strerror(errno));
    return GW_OK;
}

/* --- writing --------------------------------------------------------------- */

enum result directory_write(const struct offline_options *options, const char *name,
                            struct slice bytes, unsigned mode, struct error *err)
{
    char path[DIRECTORY_PATH];

    return keyfile_write(directory_path(options, name, path), bytes, (mode_t)mode, err);
}

enum result directory_write_key(const struct offline_options *options, const char *name,
                                EVP_PKEY *key, struct error *err)
{
    struct buffer pem;

    buffer_init(&pem, 0);
    if (key_to_pem(key, &pem, err) == GW_OK)
        directory_write(options, name, buffer_slice(&pem), 0600, err);
    key_buffer_wipe(&pem);
    return err->code;
}

/* Where the peer port listens, unless it was said. */
static void append_peer_listen(const struct offline_options *options, struct buffer *out)
{
    struct slice host = {0};
    uint16_t port = 7000;

    if (options->peer_listen != NULL) {
        buffer_printf(out, "\"%s\"", options->peer_listen);
        return;
    }
    host_port_parse(slice_from_string(directory_peer(options)), false, &host, &port);
    if (is_loopback(host) && !slice_equal(host, SLICE("localhost")))
        buffer_printf(out, "\"%s\"", directory_peer(options));
    else if (is_loopback(host))
        buffer_printf(out, "\"127.0.0.1:%u\"", port);
    else
        buffer_printf(out, "\":%u\"", port);
}

enum result directory_write_settings(const struct offline_options *options,
                                     struct error *err)
{
    struct buffer out;

    buffer_init(&out, 1u << 20);
    buffer_printf(
        &out,
        "# Settings of this node alone; not replicated. SIGHUP reads them again.\n"
        "node: {name: \"%s\", region: \"%s\"",
        options->name, options->region);
    if (options->zone != NULL && options->zone[0] != '\0')
        buffer_printf(&out, ", zone: \"%s\"", options->zone);
    buffer_printf(&out, "}\npeer: {listen: ");
    append_peer_listen(options, &out);
    buffer_printf(&out, ", advertise: \"%s\"}\n", directory_peer(options));
    buffer_printf(&out, "admin: {listen: \"%s\"}\n", directory_admin(options));
    buffer_printf(&out, "health: {listen: \"%s\"}\n", health_of(options));
    if (options->listener_count != 0)
        buffer_printf(&out, "listeners:\n");
    for (size_t i = 0; i < options->listener_count; i++)
        buffer_printf(&out, "  %.*s: \"%.*s\"\n", SLICE_ARG(options->listeners[i].name),
                      SLICE_ARG(options->listeners[i].bind));
    if (out.failed)
        error_set(err, GW_NO_MEMORY, "write gwd.yaml");
    else
        directory_write(options, "gwd.yaml", buffer_slice(&out), 0644, err);
    buffer_deinit(&out);
    return err->code;
}

enum result directory_write_identity(const struct offline_options *options,
                                     const struct offline_made *made, struct error *err)
{
    char path[DIRECTORY_PATH];
    struct identity_file identity;

    memset(&identity, 0, sizeof identity);
    snprintf(identity.cluster_id, sizeof identity.cluster_id, "%.32s", made->cluster_id);
    snprintf(identity.name, sizeof identity.name, "%.63s", options->name);
    identity.node_id = made->node_id;
    return identity_file_write(directory_path(options, "identity", path), &identity, err);
}

size_t directory_names(const struct offline_options *options, struct slice *out)
{
    const char *const addresses[] = {directory_peer(options), directory_admin(options)};
    size_t count = 0;

    out[count++] = SLICE("localhost");
    out[count++] = SLICE("127.0.0.1");
    for (size_t i = 0; i < 2; i++) {
        struct slice host;
        uint16_t port;
        bool known = false;
        if (!host_port_parse(slice_from_string(addresses[i]), false, &host, &port))
            continue;
        for (size_t j = 0; j < count; j++)
            known |= slice_equal(out[j], host);
        if (!known)
            out[count++] = host;
    }
    return count;
}
