/* How many bytes lie between two indexes of a log.
 *
 * libraft counts entries, and keeps all of them in memory; ours differ in size by a
 * factor of a hundred thousand. So the replica keeps the sum of sizes up to each entry,
 * 8 bytes an entry, and bounds by bytes what libraft bounds by number: when the log is
 * cut, what stays behind the cut, what is on its way to a follower. */
#ifndef GW_RAFT_LOG_BYTES_H
#define GW_RAFT_LOG_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* What an entry costs besides its bytes: libraft's structs, the store's key. */
#define LOG_ENTRY_COST 64

struct log_bytes {      /* zero-initialised: an empty log that begins at 0 */
    uint64_t *sums;     /* ring, by index: bytes up to and with it */
    size_t capacity;    /* a power of two, or 0 */
    uint64_t first;     /* the lowest index that is known */
    uint64_t next;      /* of the next entry */
    uint64_t sum_first; /* bytes before `first` */
};

void log_bytes_deinit(struct log_bytes *log);
/* Empty, and the next entry is `next`. */
void log_bytes_restart(struct log_bytes *log, uint64_t next);
void log_bytes_append(struct log_bytes *log, size_t size);
/* Drops the entries from `index` on. */
void log_bytes_truncate(struct log_bytes *log, uint64_t index);
/* Drops the entries up to and with `index`. */
void log_bytes_trim(struct log_bytes *log, uint64_t index);
/* Bytes of the known entries in (low, high]. */
uint64_t log_bytes_between(const struct log_bytes *log, uint64_t low, uint64_t high);
/* How many of the entries that end with `index` come to no more than `bytes`, `most` at
 * most. */
unsigned log_bytes_fit(const struct log_bytes *log, uint64_t index, uint64_t bytes,
                       unsigned most);

#endif
