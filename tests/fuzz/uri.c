/* Fuzzes targets, paths and hosts: a normal form is its own normal form, is not
 * longer, and has nothing left that could be read in two ways. */
#include "http/uri.h"

#include "http/fields.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_path(struct slice path)
{
    char *out = exact_copy(path.data, path.size);
    char *in_place = exact_copy(path.data, path.size);
    struct slice normal, again;

    if (uri_path_normalise(path, out, &normal)) {
        CHECK(normal.size <= path.size || path.size == 0);
        CHECK(normal.size > 0 && normal.data[0] == '/');
        CHECK(slice_find(normal, SLICE("//")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/./")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/../")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/;")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/.;")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/..;")) == SIZE_MAX);
        CHECK(slice_find(normal, SLICE("/..%3B")) == SIZE_MAX);
        CHECK(!slice_ends_with(normal, SLICE("/.")) &&
              !slice_ends_with(normal, SLICE("/..")));
        CHECK(memchr(normal.data, '\\', normal.size) == NULL);
        CHECK(memchr(normal.data, '\0', normal.size) == NULL);
        for (size_t i = 0; i < normal.size; i++) {
            uint64_t byte;
            if (normal.data[i] != '%')
                continue;
            CHECK(slice_parse_hex(slice_sub(normal, i + 1, 2), &byte) &&
                  i + 2 < normal.size);
            CHECK(byte != 0 && byte != '/' && byte != '\\');
            CHECK(byte > 0x7f || !fields_is((char)byte, FIELDS_UNRESERVED));
        }
        char *scratch = exact_copy(normal.data, normal.size);
        CHECK(uri_path_normalise(normal, scratch, &again) && slice_equal(again, normal));
        CHECK(again.data == normal.data); /* nothing written */
        free(scratch);
        CHECK(uri_path_normalise(slice_of(in_place, path.size), in_place, &again));
        CHECK(slice_equal(again, normal));
    }
    free(out);
    free(in_place);
}

static void fuzz_host(struct slice authority)
{
    struct uri_host host, again;
    char lower[URI_HOST_MAX + 1];

    if (!uri_host_split(authority, &host))
        return;
    CHECK(host.host.size > 0 && host.host.size <= URI_HOST_MAX);
    struct slice low = uri_host_lower(host.host, lower);
    CHECK(slice_equal_nocase(low, host.host));
    CHECK(uri_host_split(low, &again) && slice_equal(again.host, low) && again.port == 0);
    CHECK(again.is_ipv6 == host.is_ipv6);
    again.port = host.port;
    CHECK(uri_host_equal(&host, &again, 80));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *memory = exact_copy(data, size);
    struct slice input = slice_of(memory, size);
    struct uri uri;

    fuzz_path(input);
    fuzz_host(input);
    if (uri_split(input, &uri)) {
        CHECK(uri.path.size > 0 && uri.path.data[0] == '/');
        CHECK(slice_find_byte(uri.path, '?') == SIZE_MAX);
        fuzz_path(uri.path);
        if (uri.scheme.size > 0)
            fuzz_host(uri.authority);
    }
    free(memory);
    return 0;
}
