/* Small files written whole, by whichever thread. */
#include "pki/keyfile.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/gw-unit-keyfile-XXXXXX";
static atomic_int closed; /* relaxed: it orders nothing, as the kernel does not for us */

static void path_of(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", dir, name);
}

static void what_is_written_is_read_and_its_own(void **state)
{
    char path[128];
    struct stat stat_of;
    struct buffer bytes;
    struct error err = ERROR_NONE;

    (void)state;
    path_of("a", path, sizeof path);
    buffer_init(&bytes, 4096);
    assert_int_equal(keyfile_write(path, SLICE("first, and longer"), 0644, &err), GW_OK);
    assert_int_equal(keyfile_write(path, SLICE("second"), 0600, &err), GW_OK);
    assert_int_equal(keyfile_read(path, 1024, &bytes, &err), GW_OK);
    assert_true(slice_equal(buffer_slice(&bytes), SLICE("second")));
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0600);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* nothing half is left beside it */
    assert_int_equal(mkdir(dir, 0700), 0);
    path_of("nowhere/a", path, sizeof path);
    assert_int_equal(keyfile_write(path, SLICE("x"), 0600, &err), GW_IO);
    buffer_deinit(&bytes);
}

static void *close_some(void *owner)
{
    (void)owner;
    int fds[4];

    for (int i = 0; i < 4; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 4; i++)
        syscall(SYS_close, fds[i]);
    atomic_store_explicit(&closed, 1, memory_order_relaxed);
    return NULL;
}

/* A loop closes a connection, the pool writes a file, and the kernel gives out the same
 * number: no race, and the thread sanitizer is to see none, though it does not see libuv
 * close, which calls the kernel itself. */
static void a_descriptor_that_another_thread_closed_is_nobodys(void **state)
{
    char path[128];
    pthread_t thread;
    struct error err = ERROR_NONE;

    (void)state;
    path_of("b", path, sizeof path);
    assert_int_equal(pthread_create(&thread, NULL, close_some, NULL), 0);
    while (atomic_load_explicit(&closed, memory_order_relaxed) == 0)
        continue;
    assert_int_equal(keyfile_write(path, SLICE("bytes"), 0600, &err), GW_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    unlink(path);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int end(void **state)
{
    (void)state;
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_its_own),
        cmocka_unit_test(a_descriptor_that_another_thread_closed_is_nobodys),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
