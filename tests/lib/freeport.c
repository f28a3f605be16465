/* Prints N TCP ports of the loopback that were free, all different: freeport N [FROM
 * SIZE], of SIZE ports from FROM. Drawn from below the kernel's ephemeral range, so that
 * outgoing connections do not take one before its owner binds it; that no other story does
 * is the block's matter, which tests/lib/cluster.sh claims. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 1;
    int from = argc > 3 ? atoi(argv[2]) : 10000;
    int size = argc > 3 ? atoi(argv[3]) : 20000;

    if (from < 1 || size < 1 || from + size > 65536)
        return 2;
    for (int tries = 0; wanted > 0 && tries < 10000; tries++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr = {htonl(INADDR_LOOPBACK)}};
        unsigned short drawn;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn)
            return 1;
        address.sin_port = htons((unsigned short)(from + drawn % size));
        /* The socket stays open until the end, so no port is given twice. */
        if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            printf("%d\n", ntohs(address.sin_port));
            wanted--;
        } else if (fd >= 0) {
            close(fd);
        }
    }
    return wanted > 0;
}
