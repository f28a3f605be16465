/* Walks a data file before this process trusts it.
 *
 * A child process maps the file read-only and: compares the two meta pages (a
 * flipped bit there would silently fall back to an older state), follows every
 * table to its end, checks each checksum and the order of keys, finds each key
 * again from the root (branch pages), compares counts, and accounts for every
 * page as used or free. Whatever it finds it writes to a pipe; if it dies on
 * the way, by a signal or an assertion inside LMDB, that is the finding.
 *
 * Costs reading the file once: 30 MB, 100,000 records, some 60 ms. */
#include "store/env_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALK_SECONDS 120

/* LMDB's meta page: a page header of 16 bytes, then MDB_meta (lmdb.h says no
 * word of it; the layout has not changed since 0.9.0). */
#define META_MAGIC    16
#define META_VERSION  20
#define META_PAGESIZE 40  /* mm_dbs[0].md_pad */
#define META_ROOT     128 /* mm_dbs[1].md_root */
#define META_LAST     136
#define META_TXNID    144
#define META_SIZE     152

struct finding {
    char text[768];
};

/* What the free list says, and where the file is mapped: a row on a page that is
 * free is a row of an older state, reached by a damaged pointer. */
struct pages {
    unsigned char *is_free; /* a bit each */
    uint64_t count, free_count;
    size_t size;
    uintptr_t base;      /* 0: not known yet */
    uint64_t older_root; /* where the other meta page's state begins; UINT64_MAX: nowhere */
    bool has_older;      /* the last transaction freed that page */
};

static bool found(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool found(struct finding *finding, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
    return false;
}

static uint64_t at64(const unsigned char *page, size_t offset)
{
    uint64_t value;
    memcpy(&value, page + offset, sizeof value);
    return value;
}

static uint32_t at32(const unsigned char *page, size_t offset)
{
    uint32_t value;
    memcpy(&value, page + offset, sizeof value);
    return value;
}

static bool check_metas(const char *path, struct pages *pages, struct finding *finding)
{
    unsigned char metas[2][META_SIZE];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return found(finding, "it cannot be opened: %s", strerror(errno));
    if (fstat(fd, &st) != 0 || pread(fd, metas[0], META_SIZE, 0) != META_SIZE) {
        close(fd);
        return found(finding, "it is shorter than a meta page");
    }
    uint32_t page_size = at32(metas[0], META_PAGESIZE);
    bool is_size =
        page_size >= 512 && page_size <= 65536 && (page_size & (page_size - 1)) == 0;
    bool has_second = is_size && pread(fd, metas[1], META_SIZE, page_size) == META_SIZE;
    close(fd);
    if (!is_size)
        return found(finding, "meta page 0 says a page size of %u", page_size);
    if (!has_second)
        return found(finding, "it is shorter than its two meta pages");
    for (unsigned i = 0; i < 2; i++) {
        uint16_t flags;
        memcpy(&flags, metas[i] + 10, sizeof flags);
        if (at64(metas[i], 0) != i || (flags & 0x08) == 0 ||
            at32(metas[i], META_MAGIC) != 0xBEEFC0DE || at32(metas[i], META_VERSION) != 1 ||
            at32(metas[i], META_PAGESIZE) != page_size)
            return found(finding, "meta page %u is not one", i);
    }
    /* Transactions write the two pages in turn. Whatever a power cut leaves, they
     * are one apart; a flipped bit is not, and would roll the state back unseen. */
    uint64_t a = at64(metas[0], META_TXNID), b = at64(metas[1], META_TXNID);
    bool is_fresh = a == 0 && b <= 1;
    if (!is_fresh && ((a & 1) != 0 || (b & 1) != 1 || (a > b ? a - b : b - a) != 1))
        return found(finding,
                     "the meta pages' transaction numbers %llu and %llu do not fit",
                     (unsigned long long)a, (unsigned long long)b);
    pages->older_root = is_fresh ? UINT64_MAX : at64(metas[a > b ? 1 : 0], META_ROOT);
    uint64_t last = at64(metas[a > b ? 0 : 1], META_LAST);
    if (last >= (uint64_t)1 << 40 || (uint64_t)st.st_size < (last + 1) * page_size)
        return found(finding, "it has %lld bytes, its meta page says %llu pages of %u",
                     (long long)st.st_size, (unsigned long long)last + 1, page_size);
    return true;
}

/* Whether the page that `data` is on says its own number, and is in use. */
static bool page_is_right(struct pages *pages, const void *data)
{
    uintptr_t address = (uintptr_t)data & ~(uintptr_t)(pages->size - 1);
    uint64_t number = at64((const unsigned char *)address, 0);
    uintptr_t base;

    if (number < 2 || number >= pages->count)
        return false;
    base = address - (uintptr_t)number * pages->size;
    if (pages->base == 0)
        pages->base = base;
    return base == pages->base && (pages->is_free[number / 8] >> (number % 8) & 1) == 0;
}

static void key_text(bool is_indexed, const MDB_val *key, char *out, size_t size)
{
    if (is_indexed && key->mv_size == 8) {
        uint64_t index;
        memcpy(&index, key->mv_data, 8);
        snprintf(out, size, "%llu", (unsigned long long)index);
        return;
    }
    size_t used = 0;
    const unsigned char *bytes = key->mv_data;
    for (size_t i = 0; i < key->mv_size && i < 80 && used + 5 < size; i++)
        used +=
            (size_t)snprintf(out + used, size - used,
                             bytes[i] >= 32 && bytes[i] < 127 ? "%c" : "\\x%02x", bytes[i]);
    out[used] = '\0';
}

static bool walk_table(MDB_txn *txn, MDB_dbi dbi, enum env_table table, struct pages *pages,
                       MDB_stat *ret_stat, struct finding *finding)
{
    const struct env_table_layout *layout = &env_layout[table];
    MDB_cursor *cursor;
    MDB_val key, value, again_key, again_value, last = {0, NULL};
    char text[512];
    uint64_t count = 0;
    int rc = mdb_stat(txn, dbi, ret_stat);

    if (rc == 0)
        rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0)
        return found(finding, "table %s: %s", layout->name, mdb_strerror(rc));
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        uint64_t sum = 0;

        if (++count > ret_stat->ms_entries)
            break; /* pages that lead in a circle end here */
        if (value.mv_size >= 8)
            memcpy(&sum, value.mv_data, 8);
        if (value.mv_size < 8 || (layout->is_indexed && key.mv_size != 8) ||
            sum != env_checksum(table, key.mv_data, key.mv_size,
                                (const char *)value.mv_data + 8, value.mv_size - 8)) {
            key_text(layout->is_indexed, &key, text, sizeof text);
            return found(finding, "table %s, key '%s': wrong checksum", layout->name, text);
        }
        if (!page_is_right(pages, key.mv_data) || !page_is_right(pages, value.mv_data)) {
            key_text(layout->is_indexed, &key, text, sizeof text);
            return found(finding, "table %s, key '%s': on a page that is not in use",
                         layout->name, text);
        }
        if (last.mv_data != NULL && mdb_cmp(txn, dbi, &last, &key) >= 0) {
            key_text(layout->is_indexed, &key, text, sizeof text);
            return found(finding, "table %s, key '%s': out of order", layout->name, text);
        }
        again_key = key;
        if (mdb_get(txn, dbi, &again_key, &again_value) != 0 ||
            again_value.mv_data != value.mv_data) {
            key_text(layout->is_indexed, &key, text, sizeof text);
            return found(finding, "table %s, key '%s': not found from the root",
                         layout->name, text);
        }
        last = key;
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND && rc != 0)
        return found(finding, "table %s: %s", layout->name, mdb_strerror(rc));
    if (count != ret_stat->ms_entries)
        return found(finding, "table %s: %llu rows found, %zu expected", layout->name,
                     (unsigned long long)count, ret_stat->ms_entries);
    return true;
}

static bool read_free_list(MDB_env *env, MDB_txn *txn, struct pages *pages,
                           uint64_t *ret_used, struct finding *finding)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t entries = 0;
    int rc;

    mdb_env_info(env, &info);
    pages->count = info.me_last_pgno + 1;
    pages->is_free = calloc(1, pages->count / 8 + 1);
    if (pages->is_free == NULL)
        return found(finding, "out of memory for the walk");
    rc = mdb_stat(txn, 0, &stat);
    if (rc == 0)
        rc = mdb_cursor_open(txn, 0, &cursor);
    if (rc != 0)
        return found(finding, "free list: %s", mdb_strerror(rc));
    pages->size = stat.ms_psize;
    *ret_used = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        size_t count, page;

        if (++entries > stat.ms_entries || key.mv_size != sizeof(size_t) ||
            value.mv_size < sizeof(size_t))
            return found(finding, "free list: malformed");
        memcpy(&count, value.mv_data, sizeof count);
        if (count > value.mv_size / sizeof(size_t) - 1)
            return found(finding, "free list: malformed");
        for (size_t i = 1; i <= count; i++) {
            memcpy(&page, (const char *)value.mv_data + i * sizeof page, sizeof page);
            if (page < 2 || page >= pages->count ||
                (pages->is_free[page / 8] >> (page % 8) & 1) != 0)
                return found(finding, "free list: page %zu is wrong", page);
            pages->is_free[page / 8] |= (unsigned char)(1u << (page % 8));
            if (page == pages->older_root &&
                *(const size_t *)key.mv_data == mdb_txn_id(txn))
                pages->has_older = true;
        }
        pages->free_count += count;
    }
    if (rc != MDB_NOTFOUND || entries != stat.ms_entries)
        return found(finding, "free list: malformed");
    /* The last transaction freed the first page of the state before it. If not,
     * the other meta page is no older one but the newest, its number damaged. */
    if (pages->older_root != UINT64_MAX && !pages->has_older)
        return found(finding, "the meta pages do not follow each other");
    /* Its own pages must be in use too. */
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
        if (!page_is_right(pages, key.mv_data) || !page_is_right(pages, value.mv_data))
            return found(finding, "free list: on a page that is not in use");
    mdb_cursor_close(cursor);
    return true;
}

static bool check_names(MDB_txn *txn, MDB_dbi main_table, struct pages *pages,
                        struct finding *finding)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    unsigned count = 0;
    int rc = mdb_cursor_open(txn, main_table, &cursor);

    if (rc != 0)
        return found(finding, "the list of tables: %s", mdb_strerror(rc));
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
        if (++count > ENV_TABLES || !page_is_right(pages, key.mv_data))
            return found(finding, "the list of tables is not where it should be");
    mdb_cursor_close(cursor);
    return true;
}

/* The state must say the number that its meta page says. */
static bool check_signature(MDB_txn *txn, MDB_dbi meta, struct finding *finding)
{
    MDB_val key = {.mv_size = 3, .mv_data = (void *)(uintptr_t) "txn"}, value;
    uint64_t number;

    if (mdb_get(txn, meta, &key, &value) != 0 || value.mv_size != 16)
        return found(finding, "table meta has no transaction number");
    memcpy(&number, (const char *)value.mv_data + 8, 8);
    if (number != mdb_txn_id(txn))
        return found(finding, "the state is of transaction %llu, its meta page says %zu",
                     (unsigned long long)number, mdb_txn_id(txn));
    return true;
}

/* Leaves everything open and allocated: the process ends. */
static bool walk(const char *dir, const char *path, uint64_t map_bytes, struct pages *pages,
                 struct finding *finding)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_stat stat;
    MDB_dbi main_table;
    uint64_t used = 0;
    int rc;

    if (!check_metas(path, pages, finding))
        return false;
    rc = mdb_env_create(&env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map_bytes);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(env, ENV_TABLES + 1);
    if (rc == 0)
        rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &main_table);
    if (rc == 0)
        rc = mdb_stat(txn, main_table, &stat);
    if (rc != 0)
        return found(finding, "%s", mdb_strerror(rc));
    if (!read_free_list(env, txn, pages, &used, finding) ||
        !check_names(txn, main_table, pages, finding))
        return false;
    used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    size_t names = 0;
    for (unsigned i = 0; i < ENV_TABLES; i++) {
        MDB_dbi dbi;
        rc = mdb_dbi_open(txn, env_layout[i].name,
                          env_layout[i].is_indexed ? MDB_INTEGERKEY : 0, &dbi);
        if (rc == MDB_NOTFOUND && stat.ms_entries == 0)
            continue; /* ended before the tables were made */
        if (rc != 0)
            return found(finding, "table %s: %s", env_layout[i].name, mdb_strerror(rc));
        unsigned flags = 0;
        if (mdb_dbi_flags(txn, dbi, &flags) != 0 ||
            flags != (env_layout[i].is_indexed ? MDB_INTEGERKEY : 0u))
            return found(finding, "table %s: wrong flags", env_layout[i].name);
        MDB_stat table_stat;
        if (!walk_table(txn, dbi, (enum env_table)i, pages, &table_stat, finding))
            return false;
        if (i == ENV_META && !check_signature(txn, dbi, finding))
            return false;
        used += table_stat.ms_branch_pages + table_stat.ms_leaf_pages +
                table_stat.ms_overflow_pages;
        names++;
    }
    if (names != stat.ms_entries)
        return found(finding, "the list of tables has %zu names, not %zu", stat.ms_entries,
                     names);
    /* Every page is a meta page, in a table, or free. */
    if (used + pages->free_count + 2 != pages->count)
        return found(finding, "%llu pages used, %llu free, 2 meta: not %llu",
                     (unsigned long long)used, (unsigned long long)pages->free_count,
                     (unsigned long long)pages->count);
    return true;
}

static void child(const char *dir, const char *path, uint64_t map_bytes, int fd)
{
    struct finding finding = {""};
    struct pages pages = {0};
    struct rlimit none = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    setrlimit(RLIMIT_CORE, &none);
    if (null >= 0)
        dup2(null, STDERR_FILENO); /* LMDB's assertions print there */
    for (int i = 1; i < 32; i++)
        signal(i, SIG_DFL); /* a sanitizer's handlers too: dying is the finding */
    alarm(WALK_SECONDS);
    bool is_sound = walk(dir, path, map_bytes, &pages, &finding);
    free(pages.is_free);
    if (!is_sound && write(fd, finding.text, strlen(finding.text)) < 0)
        _exit(2);
    _exit(is_sound ? 0 : 1);
}

enum result env_walk(const char *dir, uint64_t map_bytes, struct error *err)
{
    char path[4096], text[768] = "";
    size_t used = 0;
    int fds[2], status = 0;
    pid_t pid;

    snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return error_set(err, GW_FAILED, "check '%s': %s", path, strerror(errno));
    pid = fork();
    if (pid < 0) {
        close(fds[0]);
        close(fds[1]);
        return error_set(err, GW_FAILED, "check '%s': fork: %s", path, strerror(errno));
    }
    if (pid == 0)
        child(dir, path, map_bytes, fds[1]);
    close(fds[1]);
    for (;;) {
        ssize_t n = read(fds[0], text + used, sizeof text - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fds[0]);
    text[used] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return GW_OK;
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "reading it ends in signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    return error_set(
        err, GW_DAMAGED,
        "'%s' is damaged: %s; nothing was changed. Remove the data directory and "
        "join again, or restore a snapshot",
        path, text);
}
