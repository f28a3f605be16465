/* The processes of the demo: start, notice the end, stop by process id.
 *
 * Only the main thread may use this. It keeps SIGCHLD, SIGINT, SIGTERM and SIGHUP blocked
 * and takes them in process_wait_event, so nothing here races with a handler. Every child
 * dies with the demo, even when the demo is killed (PR_SET_PDEATHSIG), and runs in a
 * process group of its own, so that a Ctrl-C at the terminal reaches the demo alone. */
#ifndef DEPLOY_DEMO_PROCESS_H
#define DEPLOY_DEMO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum process_event {
    PROCESS_TIME,  /* the time given is over */
    PROCESS_CHILD, /* a child may have ended; ask process_reap */
    PROCESS_STOP,  /* somebody wants the demo to end */
};

/* Blocks the signals above. Call first. */
void process_init(void);

/* Waits for one of the events, at most so long. */
enum process_event process_wait_event(int milliseconds);

/* Starts argv[0], output appended to the log file. Returns its id, or -1 with a message on
 * stderr. */
pid_t process_start(const char *const argv[], const char *log);

/* Returns the id of a child that has ended and its wait status, or 0 when none has. */
pid_t process_reap(int *ret_status);

/* Runs a command to its end: its stdout to the buffer (cut to size, always terminated), its
 * stderr to the log. Returns its exit status; -1 when it could not run, took longer than
 * the limit, or PROCESS_STOP came, which is then remembered and reported by
 * process_stop_wanted. Other children that end meanwhile are kept for process_reap. */
int process_run(const char *const argv[], const char *log, char *output, size_t size,
                int limit_ms);

bool process_stop_wanted(void);

/* Kills it and waits until it is gone. Accepts 0 and -1. For a process that is not our
 * child, polls for a second. */
void process_kill(pid_t pid);

/* The process that listens on this UNIX socket, if its program is the one named; else 0. */
pid_t process_behind_socket(const char *path, const char *program);

#endif
