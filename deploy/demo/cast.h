/* What the rooms of the demo share: who plays, where they are, what was asked for. The
 * main thread's alone. */
#ifndef DEPLOY_DEMO_CAST_H
#define DEPLOY_DEMO_CAST_H

#include "deploy/demo/ports.h"
#include "deploy/demo/process.h"
#include "deploy/demo/traffic.h"

#include <limits.h>
#include <stdio.h>

enum {
    NODES_MAX = 7,
    UPSTREAMS = 3,
    ATTEMPTS = 4,
    START_MS =
        30000, /* for one step; a busy machine is slow, a broken one is not worth more */
};

struct role {
    const char *name, *region;
};
extern const struct role cast[NODES_MAX];

struct upstream_role {
    const char *name, *service;
};
extern const struct upstream_role upstream_cast[UPSTREAMS];

extern const char route_host[], route_path[];

struct node {
    struct port proxy, peer, admin, health;
    pid_t pid; /* 0: not running, as far as we know */
    char directory[PATH_MAX], log[PATH_MAX], socket[PATH_MAX];
    struct traffic traffic;
};

struct upstream {
    struct port port;
    pid_t pid;
    char log[PATH_MAX];
};

struct demo {
    /* what was asked for */
    const char *bin, *examples, *example;
    long long for_ms; /* 0: until stopped */
    size_t nodes;
    bool json;

    char gwd[PATH_MAX], gwctl[PATH_MAX], upstream[PATH_MAX], yaml[PATH_MAX],
        running[PATH_MAX];
    char work[PATH_MAX - 64]; /* temporary directory; empty: none */
    char log[PATH_MAX], token[PATH_MAX];
    struct node node[NODES_MAX];
    struct upstream up[UPSTREAMS];
    FILE *people;
};
extern struct demo demo;

long long now_ms(void);
/* A line for people, to where people read. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Paths here are a temporary directory and a short name; one that does not fit is refused
 * at the start. */
void text(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Runs a gwctl command; the arguments end with NULL. */
bool gwctl(char *output, size_t size, const char *const arguments[]);

/* stage.c: start_all begins with a directory of its own; end_all leaves nothing. */
bool start_all(bool usual);
void end_all(void);
/* Notes which of our processes have ended. Returns the last node among them, or NULL. */
struct node *reap(int *ret_status);
/* Whether a log says that a port was taken, which is worth another attempt. */
bool log_says_in_use(const char *path);

/* tell.c. */
void show_log(const char *path);
void write_running(void);
void remove_running(void);
void print_json(void);
size_t leader(void); /* as the cluster says; the first if it says nothing */
void print_for_people(size_t leading, long long took_ms);
void print_counts(const char *when);

#endif
