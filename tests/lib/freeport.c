/* Prints the first N TCP ports of the loopback that are free, of SIZE from FROM:
 * freeport N FROM SIZE. Stories take FROM from a block of their own, below the kernel's
 * ephemeral range, and go through it once (tests/lib/cluster.sh): a port that was given
 * and is not bound yet is given to nobody else. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
    int from = argc > 3 ? atoi(argv[2]) : 0;
    int size = argc > 3 ? atoi(argv[3]) : 0;

    if (wanted < 1 || from < 1 || size < 1 || from + size > 65536) {
        fprintf(stderr, "usage: freeport N FROM SIZE\n");
        return 2;
    }
    for (int port = from; wanted > 0 && port < from + size; port++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr = {htonl(INADDR_LOOPBACK)},
                                      .sin_port = htons((unsigned short)port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
            return 1;
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            printf("%d\n", port);
            wanted--;
        }
        close(fd);
    }
    return wanted > 0;
}
