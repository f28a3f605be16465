/* Bytes of a record's value, as they come off a disk or a link: unpacked without a
 * read outside them; what unpacks packs again to what unpacks to the same. The
 * first byte chooses the kind. */
#include "model/resource.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"cluster/x", "region/x", "listener/x",
                                       "service/x", "route/x",  "policy/x"};
    if (size < 1)
        return 0;
    struct slice key = slice_from_string(keys[data[0] % 6]);
    struct error err;
    char *bytes = exact_copy(data + 1, size - 1);
    struct resource *resource = resource_unpack(key, slice_of(bytes, size - 1), 1, 2, &err);
    if (resource != NULL) {
        struct buffer packed, json;
        struct emit emit;
        buffer_init(&packed, 0);
        buffer_init(&json, 0);
        resource_pack(&packed, resource);
        struct resource *back = resource_unpack(key, buffer_slice(&packed), 1, 2, &err);
        CHECK(back != NULL);
        CHECK(resource_equal(resource, back));
        emit_init(&emit, &json, false);
        resource_emit(&emit, resource, RESOURCE_EFFECTIVE);
        CHECK(!json.failed);
        resource_unref(back);
        resource_unref(resource);
        buffer_deinit(&packed);
        buffer_deinit(&json);
    }
    free(bytes);
    return 0;
}
