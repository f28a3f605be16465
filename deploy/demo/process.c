/* Processes by fork and exec, signals by sigtimedwait.
 *
 * The demo is done with a throw-away cluster when it ends, so it ends its children by
 * SIGKILL: a graceful drain would take five seconds per node and protect data that is
 * deleted next. */
#include "deploy/demo/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_MAX = 16 };

static struct {
    sigset_t signals;
    bool stop_wanted;
    /* Ends of other children that process_run came across. */
    struct {
        pid_t pid;
        int status;
    } kept[KEPT_MAX];
    size_t kept_count;
} self;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void process_init(void)
{
    sigemptyset(&self.signals);
    sigaddset(&self.signals, SIGCHLD);
    sigaddset(&self.signals, SIGINT);
    sigaddset(&self.signals, SIGTERM);
    sigaddset(&self.signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &self.signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* A shell that starts the demo in the background ignores these for it. */
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
}

enum process_event process_wait_event(int milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000L};
    int number = sigtimedwait(&self.signals, NULL, &time);

    if (number == SIGCHLD)
        return PROCESS_CHILD;
    if (number > 0) {
        self.stop_wanted = true;
        return PROCESS_STOP;
    }
    return PROCESS_TIME;
}

bool process_stop_wanted(void)
{
    return self.stop_wanted;
}

/* In the child. Never returns. */
static void become(const char *const argv[], int output, int errors, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY);

    /* The parent may have died before prctl took effect. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(nothing, 0);
    dup2(output, 1);
    dup2(errors, 2);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "cannot run '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

static pid_t fork_into(const char *const argv[], int output, int errors)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        become(argv, output, errors, parent);
    if (pid < 0)
        fprintf(stderr, "demo: cannot start '%s': %s\n", argv[0], strerror(errno));
    return pid;
}

pid_t process_start(const char *const argv[], const char *log)
{
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
        fprintf(stderr, "demo: cannot write '%s': %s\n", log, strerror(errno));
        return -1;
    }
    pid_t pid = fork_into(argv, file, file);
    close(file);
    return pid;
}

pid_t process_reap(int *ret_status)
{
    if (self.kept_count > 0) {
        self.kept_count--;
        *ret_status = self.kept[self.kept_count].status;
        return self.kept[self.kept_count].pid;
    }
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0)
        return 0;
    *ret_status = status;
    return pid;
}

static void keep(pid_t pid, int status)
{
    if (self.kept_count < KEPT_MAX) {
        self.kept[self.kept_count].pid = pid;
        self.kept[self.kept_count].status = status;
        self.kept_count++;
    }
}

/* Reads what is there; returns false at the end of the stream. */
static bool drain(int file, char *output, size_t size, size_t *used)
{
    char scrap[4096];
    for (;;) {
        bool fits = *used + 1 < size;
        ssize_t got = fits ? read(file, output + *used, size - 1 - *used)
                           : read(file, scrap, sizeof scrap);
        if (got == 0)
            return false;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (fits)
            *used += (size_t)got;
    }
}

int process_run(const char *const argv[], const char *log, char *output, size_t size,
                int limit_ms)
{
    int ends[2], file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    size_t used = 0;

    output[0] = '\0';
    if (file < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(stderr, "demo: cannot run '%s': %s\n", argv[0], strerror(errno));
        if (file >= 0)
            close(file);
        return -1;
    }
    pid_t pid = fork_into(argv, ends[1], file);
    close(ends[1]);
    close(file);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);

    long long end_at = now_ms() + limit_ms;
    int result = -1;
    bool open_still = true;
    while (pid > 0) {
        if (open_still)
            open_still = drain(ends[0], output, size, &used);
        int status;
        pid_t ended;
        bool ours = false;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended != pid) {
                keep(ended, status);
                continue;
            }
            ours = true;
            result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            break;
        }
        if (ours)
            break;
        if (self.stop_wanted || now_ms() >= end_at) {
            process_kill(pid);
            break;
        }
        process_wait_event(20);
    }
    drain(ends[0], output, size, &used);
    output[used] = '\0';
    close(ends[0]);
    return self.stop_wanted ? -1 : result;
}

void process_kill(pid_t pid)
{
    if (pid <= 0 || kill(pid, SIGKILL) != 0)
        return;
    if (waitpid(pid, NULL, 0) == pid)
        return;
    /* Not a child of ours. */
    for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
        poll(NULL, 0, 10);
}

pid_t process_behind_socket(const char *path, const char *program)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    char link[64], target[4096];
    pid_t found = 0;

    if (strlen(path) >= sizeof address.sun_path)
        return 0;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
        snprintf(link, sizeof link, "/proc/%d/exe", (int)peer.pid);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            if (strcmp(target, program) == 0)
                found = peer.pid;
        }
    }
    close(fd);
    return found;
}
