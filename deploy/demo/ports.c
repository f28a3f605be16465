/* Whether a port is free is asked by listening on it: two sockets may be bound to one
 * address with SO_REUSEADDR, but only one may listen. Without SO_REUSEADDR the connections
 * of the last demo would keep its ports from this one. */
#include "deploy/demo/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in loopback(int number)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int bound(int number)
{
    struct sockaddr_in address = loopback(number);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool ports_hold(struct port *port, int wished)
{
    int fd = bound(wished);

    if (wished != 0 && fd >= 0) {
        bool free_now = listen(fd, 1) == 0;
        close(fd);
        fd = free_now ? bound(wished) : -1;
    }
    if (fd < 0 && (fd = bound(0)) < 0)
        return false;

    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return false;
    }
    port->number = ntohs(address.sin_port);
    port->held = fd;
    return true;
}

void ports_release(struct port *port)
{
    if (port->held >= 0)
        close(port->held);
    port->held = -1;
}

bool ports_answers(int number)
{
    struct sockaddr_in address = loopback(number);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return answers;
}
