/* libraft's configurationDecode reads counts and ids without looking where the
 * bytes end; so all that it assumes is checked here first. */
#include "raft/conf.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t read_u64(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

bool conf_is_sound(struct slice bytes)
{
    size_t at = 9, voters = 0;
    uint64_t ids[CONF_SERVERS_LIMIT], count;

    if (bytes.size < 16 || bytes.size % 8 != 0 || bytes.data[0] != 1)
        return false;
    count = read_u64(bytes.data + 1);
    if (count == 0 || count > CONF_SERVERS_LIMIT)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        char address[24];
        int size;

        if (bytes.size - at < 8)
            return false;
        ids[i] = read_u64(bytes.data + at);
        at += 8;
        if (ids[i] == 0)
            return false;
        for (uint64_t k = 0; k < i; k++)
            if (ids[k] == ids[i])
                return false;
        size = snprintf(address, sizeof address, "%llu", (unsigned long long)ids[i]);
        if (bytes.size - at < (size_t)size + 2 ||
            memcmp(bytes.data + at, address, (size_t)size + 1) != 0)
            return false;
        at += (size_t)size + 1;
        if ((unsigned char)bytes.data[at] > RAFT_SPARE)
            return false;
        voters += bytes.data[at] == RAFT_VOTER;
        at++;
    }
    if (bytes.size - at >= 8)
        return false;
    for (; at < bytes.size; at++)
        if (bytes.data[at] != 0)
            return false;
    return voters > 0;
}

bool conf_decode(struct slice bytes, struct raft_configuration *conf)
{
    struct raft_buffer buffer = {.base = (void *)(uintptr_t)bytes.data, .len = bytes.size};

    return conf_is_sound(bytes) && raft_configuration_decode(&buffer, conf) == 0;
}

struct slice conf_encode(const struct raft_configuration *conf)
{
    struct raft_buffer buffer;
    char *copy;

    if (conf->n == 0 || raft_configuration_encode(conf, &buffer) != 0)
        return (struct slice){NULL, 0};
    copy = malloc(buffer.len);
    if (copy != NULL)
        memcpy(copy, buffer.base, buffer.len);
    raft_free(buffer.base);
    return slice_of(copy, copy == NULL ? 0 : buffer.len);
}

bool conf_copy(struct raft_configuration *to, const struct raft_configuration *from)
{
    raft_configuration_init(to);
    for (unsigned i = 0; i < from->n; i++) {
        if (raft_configuration_add(to, from->servers[i].id, from->servers[i].address,
                                   from->servers[i].role) != 0) {
            raft_configuration_close(to);
            raft_configuration_init(to);
            return false;
        }
    }
    return true;
}

struct slice conf_encode_founder(uint64_t id)
{
    struct raft_configuration conf;
    struct slice bytes = {NULL, 0};
    char address[24];

    snprintf(address, sizeof address, "%llu", (unsigned long long)id);
    raft_configuration_init(&conf);
    if (raft_configuration_add(&conf, id, address, RAFT_VOTER) == 0)
        bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    return bytes;
}

const struct raft_server *conf_find(const struct raft_configuration *conf, uint64_t id)
{
    for (unsigned i = 0; i < conf->n; i++)
        if (conf->servers[i].id == id)
            return &conf->servers[i];
    return NULL;
}

unsigned conf_voters(const struct raft_configuration *conf)
{
    unsigned voters = 0;

    for (unsigned i = 0; i < conf->n; i++)
        voters += conf->servers[i].role == RAFT_VOTER;
    return voters;
}
