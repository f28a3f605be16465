/* What a check by the index says is what the walk says: the same verdict, the same
 * words in the same order, over random changes of a random catalog. And what is
 * taken back leaves no trace. */
#include "fixture.h"

#include "base/rng.h"

#define ROUNDS 3000

static struct rng rng;
static struct buffer text;

static unsigned below(unsigned bound)
{
    return (unsigned)rng_below(&rng, bound);
}

static void head(const char *kind, const char *prefix, unsigned number)
{
    buffer_printf(&text, "---\n" GW "kind: %s\nmetadata: {name: %s%u}\nspec: ", kind,
                  prefix, number);
}

static void random_route(void)
{
    static const char *const paths[] = {"prefix: /a", "prefix: /a/",     "exact: /a",
                                        "prefix: /b", "regex: \"/a.*\"", "prefix: /"};
    static const char *const hosts[] = {"",
                                        "a.example",
                                        "b.example",
                                        "\"*.example\"",
                                        "a.example, b.example",
                                        "b.example, a.example",
                                        "a.example, a.example"};

    head("Route", "r", below(14));
    buffer_printf(&text, "{match: {hosts: [%s], path: {%s}", hosts[below(7)],
                  paths[below(6)]);
    if (below(3) == 0)
        buffer_printf(&text, ", headers: [{name: x, exact: \"%u\"}]", below(2));
    if (below(4) == 0)
        buffer_printf(&text, ", methods: [%s]", below(2) ? "GET" : "GET, POST");
    buffer_printf(&text, "}, service: s%u", below(4));
    if (below(3) == 0)
        buffer_printf(&text, ", policies: [p%u, p%u]", below(3), 3 + below(2));
    if (below(5) == 0)
        buffer_printf(&text, ", priority: %u", below(2));
    buffer_printf(&text, "}\n");
}

static void random_object(void)
{
    switch (below(8)) {
    case 0:
        head("Service", "s", below(4));
        buffer_printf(&text, "{endpoints: [{name: e, address: \"x:1\"%s}]}\n",
                      below(3)   ? ""
                      : below(2) ? ", region: g0"
                                 : ", region: g1");
        return;
    case 1:
        head("Policy", "p", below(5));
        buffer_printf(&text, "{timeout: %us}\n", 1 + below(3));
        return;
    case 2:
        if (below(4) != 0)
            break;
        head("Region", "g", below(3));
        buffer_printf(&text, "{weight: %u}\n", below(100));
        return;
    case 3:
        head("Listener", "l", below(3));
        buffer_printf(&text, "{bind: \":%u\", policies: [p%u]}\n", 80 + below(4), below(5));
        return;
    default:
        break;
    }
    random_route();
}

static void random_delete(struct change *change)
{
    static const struct {
        enum kind kind;
        const char *prefix;
        unsigned count;
    } kinds[] = {{KIND_SERVICE, "s", 4},
                 {KIND_POLICY, "p", 5},
                 {KIND_ROUTE, "r", 14},
                 {KIND_REGION, "g", 3},
                 {KIND_LISTENER, "l", 3}};
    char name[8];
    unsigned which = below(5);

    snprintf(name, sizeof name, "%s%u", kinds[which].prefix, below(kinds[which].count));
    if (change_find(change, kinds[which].kind, slice_from_string(name)) == NULL)
        assert_true(change_delete(change, kinds[which].kind, slice_from_string(name)));
}

static void random_change(struct change *change, struct problems *problems)
{
    struct source source;
    unsigned objects = below(4), deletes = below(10) < 3 ? 1 + below(3) : 0;

    buffer_reset(&text);
    for (unsigned i = 0; i < objects; i++)
        random_object();
    source_init(&source);
    if (text.size > 0 && source_add(&source, SLICE("t"), buffer_slice(&text), problems))
        source_decode(&source, change, problems);
    source_deinit(&source);
    for (unsigned i = 0; i < deletes; i++)
        random_delete(change);
    /* An object twice is the decoder's matter, not the check's. */
    problems_deinit(problems);
    problems_init(problems);
}

static void assert_same_problems(const struct problems *a, const struct problems *b)
{
    struct buffer left, right;

    buffer_init(&left, 0);
    buffer_init(&right, 0);
    problems_print(a, &left, NULL, NULL);
    problems_print(b, &right, NULL, NULL);
    if (!slice_equal(buffer_slice(&left), buffer_slice(&right)))
        fail_msg("of\n%.*s\nby the walk:\n%.*s\nby the index:\n%.*s",
                 SLICE_ARG(buffer_slice(&text)), SLICE_ARG(buffer_slice(&left)),
                 SLICE_ARG(buffer_slice(&right)));
    for (size_t i = 0; i < a->count; i++) {
        assert_true(slice_equal(a->items[i].path, b->items[i].path));
        assert_true(slice_equal(a->items[i].object, b->items[i].object));
        assert_true(slice_equal(a->items[i].hint, b->items[i].hint));
        assert_int_equal(a->items[i].item, b->items[i].item);
    }
    buffer_deinit(&left);
    buffer_deinit(&right);
}

static void assert_same_catalog(const struct catalog *a, const struct catalog *b)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const struct resource *resource;
        assert_int_equal(catalog_count(a, (enum kind)kind),
                         catalog_count(b, (enum kind)kind));
        catalog_each(a, (enum kind)kind, resource)
            assert_ptr_equal(catalog_get(b, (enum kind)kind, resource->name), resource);
    }
}

/* Two shelves hold the same, item by item. */
static void assert_same_shelf(const struct shelf *a, const struct shelf *b)
{
    struct shelf_cursor left = shelf_first(a), right = shelf_first(b);
    const struct resource *resource;

    assert_int_equal(shelf_count(a), shelf_count(b));
    while ((resource = shelf_next(&left)) != NULL)
        assert_ptr_equal(shelf_next(&right), resource);
}

static void assert_index_is_right(const struct catalog *catalog)
{
    struct catalog fresh;
    const struct resource *resource;

    catalog_init(&fresh);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        catalog_each(catalog, (enum kind)kind, resource)
            assert_true(catalog_put(&fresh, resource));
    assert_true(catalog_index(&fresh));
    assert_same_shelf(&fresh.referrers, &catalog->referrers);
    assert_same_shelf(&fresh.matches, &catalog->matches);
    catalog_deinit(&fresh);
}

/* The same change against the same state, by walking, by index, and in place. */
static void the_index_agrees_with_the_walk(void **state)
{
    struct catalog plain, indexed;
    unsigned good = 0, ties = 0, in_use = 0;

    (void)state;
    rng_init(&rng, 7);
    buffer_init(&text, 0);
    catalog_init(&plain);
    catalog_init(&indexed);
    assert_true(catalog_index(&indexed));
    for (int round = 0; round < ROUNDS; round++) {
        struct change change;
        struct problems by_walk, by_index;
        struct catalog walked;
        struct catalog_undo undo = {0};
        struct arena arena;

        change_init(&change);
        problems_init(&by_walk);
        problems_init(&by_index);
        arena_init(&arena, 0, 0);
        random_change(&change, &by_walk);
        catalog_clone(&plain, &walked);
        assert_true(catalog_apply(&walked, &change, NULL, NULL));
        bool walk = catalog_check(&walked, &change, NULL, 0, &by_walk);
        assert_true(catalog_apply(&indexed, &change, &arena, &undo));
        assert_same_catalog(&walked, &indexed);
        bool index = catalog_check(&indexed, &change, NULL, 0, &by_index);
        assert_int_equal(walk, index);
        assert_same_problems(&by_walk, &by_index);
        ties += has_problem(&by_walk, "ambiguous_route", "");
        in_use += has_problem(&by_walk, "in_use", "");
        /* Now and then a wrong state stands, as after a change of the rules. */
        if (walk || below(50) == 0) {
            good += walk;
            catalog_undo_forget(&undo);
            catalog_deinit(&plain);
            plain = walked;
        } else {
            assert_true(catalog_undo(&indexed, &change, &undo));
            catalog_deinit(&walked);
        }
        assert_same_catalog(&plain, &indexed);
        if (round % 10 == 0)
            assert_index_is_right(&indexed);
        arena_deinit(&arena);
        problems_deinit(&by_walk);
        problems_deinit(&by_index);
        change_deinit(&change);
    }
    printf("%d changes: %u good, %u with ties, %u in use\n", ROUNDS, good, ties, in_use);
    assert_true(good > ROUNDS / 10 && ties > ROUNDS / 20 && in_use > ROUNDS / 100);
    catalog_deinit(&plain);
    catalog_deinit(&indexed);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_agrees_with_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
