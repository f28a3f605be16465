/* A YAML text: read, decoded, packed, unpacked, printed, read again. What decodes
 * comes back the same by either way; what does not has at least one problem. */
#include "model/resource.h"

#include "fuzz.h"

static void check_packed(const struct resource *resource)
{
    struct buffer packed;
    struct error err;
    buffer_init(&packed, 0);
    resource_pack(&packed, resource);
    char *bytes = exact_copy(packed.data, packed.size);
    struct resource *back =
        resource_unpack(resource->key, slice_of(bytes, packed.size), 1, 2, &err);
    CHECK(back != NULL);
    CHECK(resource_equal(resource, back));
    resource_unref(back);
    free(bytes);
    buffer_deinit(&packed);
}

static void check_printed(const struct resource *resource)
{
    struct buffer json;
    struct emit emit;
    struct arena arena;
    struct problems problems;
    struct error err;
    buffer_init(&json, 0);
    arena_init(&arena, 0, 0);
    problems_init(&problems);
    emit_init(&emit, &json, false);
    resource_emit(&emit, resource, RESOURCE_GET);
    CHECK(!json.failed);
    struct value *tree = json_read(&arena, buffer_slice(&json), &err);
    CHECK(tree != NULL);
    /* A secret is never printed; then what is printed is not the whole. */
    if (slice_find(buffer_slice(&json), SLICE("(secret)")) == SIZE_MAX) {
        struct resource *back = resource_decode(tree, SLICE("f"), 0, &problems);
        CHECK(back != NULL);
        CHECK(resource_equal(resource, back));
        resource_unref(back);
    }
    problems_deinit(&problems);
    arena_deinit(&arena);
    buffer_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct problems problems;
    struct buffer out;
    char *text = exact_copy(data, size);
    arena_init(&arena, 0, 0);
    problems_init(&problems);
    buffer_init(&out, 0);
    struct value *roots = yaml_read(&arena, SLICE("f"), slice_of(text, size), &problems);
    CHECK(roots != NULL || problems.errors > 0);
    for (struct value *v = roots == NULL ? NULL : roots->first; v != NULL; v = v->next) {
        size_t errors = problems.errors;
        struct resource *resource = resource_decode(v, SLICE("f"), 0, &problems);
        CHECK((resource == NULL) == (problems.errors > errors));
        if (resource == NULL)
            continue;
        check_packed(resource);
        check_printed(resource);
        resource_unref(resource);
    }
    problems_print(&problems, &out, NULL, NULL);
    buffer_deinit(&out);
    problems_deinit(&problems);
    arena_deinit(&arena);
    free(text);
    return 0;
}
