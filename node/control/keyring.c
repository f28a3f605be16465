/* The new key is written beside the old one before anything is sealed by it, and the old
 * one is deleted last: at every moment a start finds a key that opens what there is. */
#include "node/control/keyring.h"

#include "base/log.h"
#include "pki/keyfile.h"
#include "pki/random.h"
#include "raft/system.h"
#include "store/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_SIZE 4200

struct keyring_job {
    struct job job;
    struct control *control;
    enum keyring_wish wish;
    struct seal_key key, other; /* as they are to be */
    bool has_other;
    keyring_fn done;
    struct error err;
};

static const char *path_of(const struct control *control, const char *name, char *out)
{
    snprintf(out, PATH_SIZE, "%.4000s/%s", control->options.data_dir, name);
    return out;
}

enum result keyring_read(struct control *control, struct error *err)
{
    struct error ignored = ERROR_NONE;
    char path[PATH_SIZE];

    if (seal_key_read(path_of(control, "cluster.key", path), &control->key, err) != GW_OK)
        return err->code;
    control->has_other_key = seal_key_read(path_of(control, "cluster.key.next", path),
                                           &control->other_key, &ignored) == GW_OK ||
                             seal_key_read(path_of(control, "cluster.key.old", path),
                                           &control->other_key, &ignored) == GW_OK;
    return GW_OK;
}

enum result keyring_open(const struct control *control, struct slice associated,
                         struct slice blob, struct buffer *out, struct error *err)
{
    if (seal_open(&control->key, associated, blob, out, err) == GW_OK)
        return GW_OK;
    if (!control->has_other_key)
        return err->code;
    *err = ERROR_NONE;
    return seal_open(&control->other_key, associated, blob, out, err);
}

static bool is_named(const struct seal_key *key, struct slice name)
{
    char text[SEAL_NAME_SIZE];

    seal_key_name(key, text);
    return slice_equal(slice_from_string(text), name);
}

/* The name in force; empty: that of the beginning. Borrows from the transaction. */
static struct slice current_name(struct txn *txn)
{
    struct record record;
    struct keys_record keys;

    return record_get(txn, KEYS_KEY, &record) == GW_OK &&
                   keys_record_unpack(record.value, &keys)
               ? keys.current
               : (struct slice){0};
}

const struct seal_key *keyring_current(const struct control *control)
{
    const struct seal_key *key = &control->key;
    struct txn *txn;

    if (!control->has_other_key || env_begin_read(control->env, &txn) != GW_OK)
        return key;
    if (is_named(&control->other_key, current_name(txn)))
        key = &control->other_key;
    txn_abort(txn);
    return key;
}

enum keyring_wish keyring_wish(const struct control *control, struct txn *txn)
{
    struct slice current = current_name(txn);
    struct turning_record next;
    struct record record;

    if (current.size != 0 && !is_named(&control->key, current))
        return control->has_other_key && is_named(&control->other_key, current)
                   ? KEYRING_CHANGE
                   : KEYRING_LOST;
    if (record_get(txn, KEYS_NEXT_KEY, &record) == GW_OK &&
        turning_record_unpack(record.value, &next))
        return control->has_other_key && is_named(&control->other_key, next.name)
                   ? KEYRING_FINE
                   : KEYRING_TAKE;
    if (control->has_other_key && record_get(txn, KEYS_OLD_KEY, &record) == GW_NOT_FOUND)
        return KEYRING_RETIRE;
    return KEYRING_FINE;
}

/* ---- doing ---- */

/* Pool. */
static void run(struct job *job)
{
    struct keyring_job *work = job->owner;
    struct control *control = work->control;
    char next[PATH_SIZE], old[PATH_SIZE], place[PATH_SIZE];

    path_of(control, "cluster.key.next", next);
    path_of(control, "cluster.key.old", old);
    path_of(control, "cluster.key", place);
    switch (work->wish) {
    case KEYRING_TAKE:
        seal_key_write(next, &work->other, &work->err);
        break;
    case KEYRING_CHANGE:
        if (seal_key_write(old, &work->other, &work->err) == GW_OK &&
            seal_key_write(place, &work->key, &work->err) == GW_OK)
            unlink(next);
        break;
    case KEYRING_RETIRE:
        unlink(next);
        unlink(old);
        break;
    case KEYRING_FINE:
    case KEYRING_LOST:
        break;
    }
}

static void ran(struct job *job)
{
    struct keyring_job *work = job->owner;
    struct control *control = work->control;
    struct error err = work->err;
    char name[SEAL_NAME_SIZE];

    if (err.code == GW_OK) {
        control->key = work->key;
        control->other_key = work->other;
        control->has_other_key = work->has_other;
        if (!work->has_other)
            seal_key_wipe(&control->other_key);
        seal_key_name(&control->key, name);
        log_event(LOG_INFO, "keyring",
                  work->wish == KEYRING_TAKE     ? "the next cluster key is here"
                  : work->wish == KEYRING_CHANGE ? "the cluster key has changed"
                                                 : "the old cluster key is gone",
                  LOG_STR("key", name));
    }
    keyring_fn done = work->done;
    seal_key_wipe(&work->key);
    seal_key_wipe(&work->other);
    free(work);
    done(control, &err);
}

/* The next key out of its record. */
static enum result unseal_next(const struct control *control, struct seal_key *ret_key,
                               struct error *err)
{
    struct turning_record next;
    struct record record;
    struct buffer plain;
    struct txn *txn;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return error_set(err, GW_AGAIN, "read the next key");
    buffer_init(&plain, 1024);
    if (record_get(txn, KEYS_NEXT_KEY, &record) != GW_OK ||
        !turning_record_unpack(record.value, &next))
        error_set(err, GW_AGAIN, "there is no next key any more");
    else if (seal_open(&control->key, KEYS_NEXT_AAD, next.sealed, &plain, err) == GW_OK &&
             plain.size == sizeof ret_key->bytes)
        memcpy(ret_key->bytes, plain.data, sizeof ret_key->bytes);
    else
        error_set(err, GW_DAMAGED, "the next key does not open by the one in force");
    txn_abort(txn);
    random_wipe(plain.data, plain.capacity);
    buffer_deinit(&plain);
    return err->code;
}

void keyring_do(struct control *control, enum keyring_wish wish, keyring_fn done)
{
    struct keyring_job *work = calloc(1, sizeof *work);
    struct error err = ERROR_NONE;

    if (work == NULL) {
        error_set(&err, GW_NO_MEMORY, "change the cluster key");
        done(control, &err);
        return;
    }
    work->control = control;
    work->wish = wish;
    work->done = done;
    work->key = control->key;
    work->other = control->other_key;
    work->has_other = wish != KEYRING_RETIRE;
    if (wish == KEYRING_CHANGE) {
        work->key = control->other_key;
        work->other = control->key;
    } else if (wish == KEYRING_TAKE && unseal_next(control, &work->other, &err) != GW_OK) {
        free(work);
        done(control, &err);
        return;
    }
    job_start(&work->job, control->loop, run, ran, work);
}
