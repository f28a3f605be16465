/* One worker and nothing else: no Raft, no store, no admin API.
 *
 *     worker_only FILE.yaml
 *
 * Compiles the file, opens its Listeners and serves until SIGTERM or SIGINT;
 * SIGUSR1 prints the metrics. To measure the data path by itself. */
#include "base/log.h"
#include "model/source.h"
#include "net/listener.h"
#include "node/board/board.h"
#include "node/proxy/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct snapshot *compile(const char *path, struct board *board)
{
    struct buffer text, shown;
    struct source source;
    struct problems problems;
    struct change change;
    struct catalog empty, catalog;
    struct snapshot *snapshot = NULL;
    struct error err = ERROR_NONE;
    size_t changed;

    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return NULL;
    }
    buffer_init(&text, 0);
    buffer_init(&shown, 0);
    char *room;
    while ((room = buffer_reserve(&text, 65536)) != NULL) {
        size_t size = fread(room, 1, 65536, file);
        if (size == 0)
            break;
        buffer_commit(&text, size);
    }
    fclose(file);
    source_init(&source);
    problems_init(&problems);
    change_init(&change);
    catalog_init(&empty);
    catalog_init(&catalog);
    source_add(&source, slice_from_string(path), buffer_slice(&text), &problems);
    source_decode(&source, &change, &problems);
    if (problems_failed(&problems) ||
        !change_validate(&change, &empty, NULL, 0, 0, SLICE("bench"), &catalog, &changed,
                         &problems)) {
        source_print(&source, &problems, &shown);
        fprintf(stderr, "%.*s", SLICE_ARG(buffer_slice(&shown)));
    } else {
        const struct compile_options options = {
            .revision = 1, .node_name = SLICE("bench"), .board = board};
        if (snapshot_compile(&catalog, &options, &snapshot, &err) != GW_OK)
            fprintf(stderr, "%s: %s\n", path, err.text);
    }
    catalog_deinit(&catalog);
    catalog_deinit(&empty);
    change_deinit(&change);
    problems_deinit(&problems);
    source_deinit(&source);
    buffer_deinit(&text);
    buffer_deinit(&shown);
    return snapshot;
}

int main(int argc, char **argv)
{
    struct worker_socket sockets[16];
    struct error err = ERROR_NONE;
    struct worker *worker = NULL;
    sigset_t signals;

    if (argc != 2) {
        fprintf(stderr, "usage: worker_only FILE.yaml\n");
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    struct board *board = board_new();
    struct metrics *metrics = metrics_new(50000);
    struct snapshot *snapshot = compile(argv[1], board);
    if (snapshot == NULL)
        return 1;
    uint32_t count = snapshot_listener_count(snapshot);
    for (uint32_t i = 0; i < count && i < 16; i++) {
        const struct snapshot_listener *listener = snapshot_listener_at(snapshot, i);
        snprintf(sockets[i].listener, sizeof sockets[i].listener, "%.*s",
                 SLICE_ARG(listener->name));
        if (listener_open_fd(slice_from_string(listener->bind), &sockets[i].fd, &err) !=
            GW_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    }
    const struct worker_options options = {.metrics = metrics, .node_name = SLICE("bench")};
    if (worker_start(&options, &worker, &err) != GW_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    worker_publish(worker, snapshot, sockets, count);
    int number = 0;
    while (sigwait(&signals, &number) == 0 && number == SIGUSR1) {
        struct buffer out;
        buffer_init(&out, 0);
        metrics_render(metrics, &out);
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
        buffer_deinit(&out);
    }
    worker_stop(worker);
    metrics_free(metrics);
    board_free(board);
    return 0;
}
