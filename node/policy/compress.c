/* Compression of answers: which media types, from which size on, how hard. */
#include "node/policy/policy.h"

#include "http/fields.h"

static enum result compile_compress(struct policy_compile *compile,
                                    const struct effective *effective,
                                    struct policy_set *ret_set, struct error *err)
{
    const struct compress_policy *policy = effective->compress;
    struct arena *arena = compile->arena;

    if (policy == NULL || policy->algorithms.count == 0)
        return GW_OK;
    struct compress_plan *compress = arena_zalloc(arena, sizeof *compress);
    struct slice *types = arena_alloc(arena, (policy->types.count + 1) * sizeof *types);
    if (compress == NULL || types == NULL)
        return error_set(err, GW_NO_MEMORY, "compile compress");
    for (size_t i = 0; i < policy->types.count; i++) {
        types[i] = arena_copy(arena, policy->types.items[i]);
        if (types[i].data == NULL)
            return error_set(err, GW_NO_MEMORY, "compile compress");
    }
    compress->types = types;
    compress->type_count = (uint32_t)policy->types.count;
    compress->min_bytes = policy->min_bytes;
    compress->level = (int)policy->level;
    ret_set->compress = compress;
    return GW_OK;
}

bool compress_has_type(const struct compress_plan *compress, struct slice content_type)
{
    struct slice media = fields_media(content_type);

    for (uint32_t i = 0; i < compress->type_count && media.size > 0; i++) {
        struct slice type = compress->types[i];
        if (type.size > 0 && type.data[type.size - 1] == '*') {
            type.size--;
            if (media.size >= type.size &&
                slice_equal_nocase(slice_sub(media, 0, type.size), type))
                return true;
        } else if (slice_equal_nocase(media, type)) {
            return true;
        }
    }
    return false;
}

const struct policy_type policy_compress = {.name = "compress",
                                            .compile = compile_compress};
