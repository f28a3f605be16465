/* The access log's rings and its thread: order, loss that is counted, rotation. */
#include "node/observe/access_log.h"

#include "base/instant.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define eventually(condition)                                      \
    do {                                                           \
        uint64_t until_ms_ = instant_monotonic_ms() + 10000;       \
        while (!(condition) && instant_monotonic_ms() < until_ms_) \
            usleep(1000);                                          \
        assert_true(condition);                                    \
    } while (0)

static char dir[64], path[128];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/gw-access.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/access.log", dir);
    return 0;
}

static int tear_down(void **state)
{
    char command[200];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static size_t read_file(const char *name, char *out, size_t room)
{
    int fd = open(name, O_RDONLY);
    size_t size = 0;
    ssize_t got;
    while (fd >= 0 && (got = read(fd, out + size, room - size)) > 0)
        size += (size_t)got;
    if (fd >= 0)
        close(fd);
    return size;
}

static struct access_log *open_log(unsigned writers)
{
    struct access_log *log;
    struct error err = ERROR_NONE;
    assert_int_equal(access_log_open(writers, &log, &err), GW_OK);
    access_log_target(log, slice_from_string(path));
    return log;
}

static bool put_number(struct access_log *log, unsigned writer, unsigned number)
{
    char line[64];
    int size = snprintf(line, sizeof line, "writer %u line %u\n", writer, number);
    return access_log_put(log, writer, slice_of(line, (size_t)size));
}

static void lines_of_a_writer_come_whole_and_in_order(void **state)
{
    enum { LINES = 200000 };
    static char text[16 << 20];
    struct access_log *log = open_log(2);
    unsigned next[2] = {0, 0};
    uint64_t lost = 0;
    (void)state;
    for (unsigned i = 0; i < LINES; i++)
        for (unsigned writer = 0; writer < 2; writer++)
            while (!put_number(log, writer, i)) /* goes over the ring's edge many times */
                usleep(1000);
    for (unsigned writer = 0; writer < 2; writer++)
        lost += access_log_take_lost(log, writer); /* the tries that found no room */
    access_log_close(log);
    size_t size = read_file(path, text, sizeof text);
    text[size] = '\0';
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned writer, number;
        assert_int_equal(sscanf(line, "writer %u line %u\n", &writer, &number), 2);
        assert_int_equal(number, next[writer]++);
    }
    assert_int_equal(next[0], LINES);
    assert_int_equal(next[1], LINES);
    (void)lost;
}

static void a_reader_that_takes_nothing_costs_lines_and_no_time(void **state)
{
    char fifo[160];
    struct access_log *log = open_log(1);
    unsigned kept = 0, refused = 0;
    (void)state;
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int fd = open(fifo, O_RDWR | O_NONBLOCK); /* there, but reads nothing */
    access_log_target(log, slice_from_string(fifo));
    uint64_t begun_ms = instant_monotonic_ms();
    for (unsigned i = 0; i < 200000; i++)
        put_number(log, 0, i) ? kept++ : refused++;
    assert_true(instant_monotonic_ms() - begun_ms < 5000);
    assert_true(refused > 0 && kept > 0);
    assert_int_equal(access_log_take_lost(log, 0), refused);
    assert_int_equal(access_log_take_lost(log, 0), 0);
    begun_ms = instant_monotonic_ms();
    access_log_close(log); /* waits a second for a reader, not for ever */
    assert_true(instant_monotonic_ms() - begun_ms < 5000);
    close(fd);
}

static void a_file_that_is_moved_is_opened_anew(void **state)
{
    char moved[160], text[256];
    struct access_log *log = open_log(1);
    (void)state;
    snprintf(moved, sizeof moved, "%s/access.log.1", dir);
    unlink(path);
    put_number(log, 0, 1);
    eventually(read_file(path, text, sizeof text) == 16);
    assert_int_equal(rename(path, moved), 0);
    unsigned i = 2;
    eventually((put_number(log, 0, i++), access(path, F_OK) == 0));
    access_log_close(log);
    assert_true(read_file(moved, text, sizeof text) >= 16);
}

static void a_file_that_cannot_be_opened_loses_lines_until_it_can(void **state)
{
    char nowhere[160], text[256];
    struct access_log *log = open_log(1);
    uint64_t lost = 0;
    (void)state;
    snprintf(nowhere, sizeof nowhere, "%s/sub/access.log", dir);
    access_log_target(log, slice_from_string(nowhere));
    put_number(log, 0, 1);
    eventually((lost += access_log_take_lost(log, 0)) == 1);
    snprintf(text, sizeof text, "%s/sub", dir);
    assert_int_equal(mkdir(text, 0700), 0);
    eventually((put_number(log, 0, 2), read_file(nowhere, text, sizeof text) > 0));
    access_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_writer_come_whole_and_in_order),
        cmocka_unit_test(a_reader_that_takes_nothing_costs_lines_and_no_time),
        cmocka_unit_test(a_file_that_is_moved_is_opened_anew),
        cmocka_unit_test(a_file_that_cannot_be_opened_loses_lines_until_it_can),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
