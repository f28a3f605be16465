/* Head and dump are checked separately: what is told of a damaged file is which
 * of the two, and who wrote it when, as far as that can still be believed. */
#include "store/backup.h"

#include "base/hash.h"
#include "store/unpack.h"

#include <stddef.h>

#define MAGIC      "gwbackup"
#define MAGIC_SIZE 8
#define SUM_SIZE   8
#define TEXT_LIMIT 512
#define HEAD_LIMIT 8192

static void write_u64(char *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (char)(value >> (8 * i));
}

static uint64_t read_u64(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

/* The head's texts, in order. */
static const size_t texts[] = {
    offsetof(struct backup_about, cluster_id), offsetof(struct backup_about, cluster_name),
    offsetof(struct backup_about, node),       offsetof(struct backup_about, region),
    offsetof(struct backup_about, zone),       offsetof(struct backup_about, peer),
    offsetof(struct backup_about, admin),      offsetof(struct backup_about, version)};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

static struct slice text_at(const struct backup_about *about, size_t i)
{
    struct slice text;

    memcpy(&text, (const char *)about + texts[i], sizeof text);
    return text;
}

bool backup_head(struct buffer *out, const struct backup_about *about, struct slice dump)
{
    struct buffer head;
    char raw[8];

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (text_at(about, i).size > TEXT_LIMIT)
            return false;
    }
    buffer_init(&head, HEAD_LIMIT);
    pack_array(&head, 5);
    pack_u64(&head, BACKUP_FORMAT);
    pack_u64(&head, about->made_ms);
    pack_array(&head, TEXT_COUNT);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        pack_text(&head, text_at(about, i));
    pack_u64(&head, dump.size);
    pack_fixed_u64(&head, hash_stable(dump));

    size_t start = out->size;
    buffer_append(out, MAGIC, MAGIC_SIZE);
    write_u64(raw, head.size);
    buffer_append(out, raw, sizeof raw);
    buffer_append_slice(out, buffer_slice(&head));
    if (!out->failed) {
        write_u64(raw, hash_stable(slice_of(out->data + start, out->size - start)));
        buffer_append(out, raw, sizeof raw);
    }
    bool is_whole = !head.failed && !out->failed;
    buffer_deinit(&head);
    return is_whole;
}

/* The head's own bytes, once its checksum fits. */
static enum result open_head(struct slice file, struct slice *ret_head, size_t *ret_size,
                             struct error *err)
{
    if (file.size < MAGIC_SIZE || memcmp(file.data, MAGIC, MAGIC_SIZE) != 0)
        return error_set(err, GW_MALFORMED,
                         "is no snapshot: gwctl snapshot save writes them");
    if (file.size < MAGIC_SIZE + 8)
        return error_set(err, GW_DAMAGED, "is cut short: it ends in its head");
    uint64_t size = read_u64(file.data + MAGIC_SIZE);
    if (size > HEAD_LIMIT)
        return error_set(err, GW_DAMAGED, "is damaged: its head cannot be so long");
    size_t whole = MAGIC_SIZE + 8 + (size_t)size + SUM_SIZE;
    if (file.size < whole)
        return error_set(err, GW_DAMAGED, "is cut short: it ends in its head");
    if (read_u64(file.data + whole - SUM_SIZE) !=
        hash_stable(slice_sub(file, 0, whole - SUM_SIZE)))
        return error_set(err, GW_DAMAGED, "is damaged: its head has a wrong checksum");
    *ret_head = slice_sub(file, MAGIC_SIZE + 8, (size_t)size);
    *ret_size = whole;
    return GW_OK;
}

static enum result newer(struct error *err, const char *what)
{
    return error_set(
        err, GW_NEWER,
        "is of a newer format (%s): use the gwctl of the cluster that wrote it", what);
}

enum result backup_check(struct slice file, struct backup *ret_backup, struct error *err)
{
    struct backup backup = {0};
    struct slice head;
    size_t head_size = 0;

    if (open_head(file, &head, &head_size, err) != GW_OK)
        return err->code;
    struct unpack in = unpack_init(head);
    unpack_array(&in, 5);
    if (unpack_u64(&in) != BACKUP_FORMAT)
        return in.failed ? error_set(err, GW_DAMAGED, "is damaged: its head is malformed")
                         : newer(err, "head");
    backup.about.made_ms = unpack_u64(&in);
    unpack_array(&in, TEXT_COUNT);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        struct slice text = unpack_text(&in, TEXT_LIMIT);
        memcpy((char *)&backup.about + texts[i], &text, sizeof text);
    }
    uint64_t size = unpack_u64(&in);
    backup.checksum = unpack_fixed_u64(&in);
    if (!unpack_done(&in))
        return error_set(err, GW_DAMAGED, "is damaged: its head is malformed");

    backup.dump = slice_from(file, head_size);
    if (backup.dump.size < size)
        return error_set(err, GW_DAMAGED, "is cut short: %zu of %llu bytes are there",
                         file.size, (unsigned long long)head_size + size);
    if (backup.dump.size > size)
        return error_set(err, GW_DAMAGED, "is damaged: there are %llu bytes behind its end",
                         (unsigned long long)(backup.dump.size - size));
    if (hash_stable(backup.dump) != backup.checksum)
        return error_set(err, GW_DAMAGED, "is damaged: its content has a wrong checksum");
    enum result result = dump_check(backup.dump, &backup.header);
    if (result == GW_NEWER)
        return newer(err, "content");
    if (result != GW_OK)
        return error_set(err, GW_DAMAGED, "is damaged: its content does not decode");
    *ret_backup = backup;
    return GW_OK;
}
