/* Two levels are enough: with 100,000 items the list has some 1,500 pages, and
 * making it anew takes a tenth of a millisecond; a change of a shelf that nobody
 * shares takes a microsecond.
 *
 * Pages are filled to the brim when items come in order, as a walk gives them;
 * elsewhere a full page becomes two. A page that empties goes; neighbours are
 * not merged, so many deletions leave pages part empty: that costs memory only. */
#include "model/shelf.h"

#include "model/resource.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PAGE_ITEMS 96

struct item {
    uint64_t order;
    const struct resource *resource; /* a reference */
};

struct page {
    atomic_uint references;
    unsigned count;
    struct item items[PAGE_ITEMS];
};

struct shelf_body {
    atomic_uint references;
    size_t count; /* items */
    size_t page_count, page_capacity;
    struct page *pages[];
};

uint64_t shelf_name_order(struct slice name)
{
    uint64_t order = 0;

    for (size_t i = 0; i < 8; i++)
        order = order << 8 | (i < name.size ? (uint8_t)name.data[i] : 0);
    return order;
}

void shelf_init(struct shelf *shelf)
{
    shelf->body = NULL;
}

static bool is_last(atomic_uint *references)
{
    return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

static bool is_shared(atomic_uint *references)
{
    return atomic_load_explicit(references, memory_order_acquire) != 1;
}

static void page_unref(struct page *page)
{
    if (!is_last(&page->references))
        return;
    for (unsigned i = 0; i < page->count; i++)
        resource_unref(page->items[i].resource);
    free(page);
}

void shelf_deinit(struct shelf *shelf)
{
    struct shelf_body *body = shelf->body;

    shelf->body = NULL;
    if (body == NULL || !is_last(&body->references))
        return;
    for (size_t i = 0; i < body->page_count; i++)
        page_unref(body->pages[i]);
    free(body);
}

void shelf_share(const struct shelf *shelf, struct shelf *ret_copy)
{
    if (shelf->body != NULL)
        atomic_fetch_add_explicit(&shelf->body->references, 1, memory_order_relaxed);
    ret_copy->body = shelf->body;
}

size_t shelf_count(const struct shelf *shelf)
{
    return shelf->body == NULL ? 0 : shelf->body->count;
}

/* ---- what only this shelf holds ---- */

static struct page *page_new(void)
{
    struct page *page = malloc(sizeof *page);

    if (page == NULL)
        return NULL;
    atomic_init(&page->references, 1);
    page->count = 0;
    return page;
}

/* The list, with room for one more page. NULL: out of memory, nothing changed. */
static struct shelf_body *own_body(struct shelf *shelf)
{
    struct shelf_body *old = shelf->body;
    size_t count = old == NULL ? 0 : old->page_count;
    size_t capacity = count + 1 + count / 4;
    struct shelf_body *body;

    if (old != NULL && !is_shared(&old->references)) {
        if (count < old->page_capacity)
            return old;
        body = realloc(old, sizeof *body + capacity * sizeof(struct page *));
        if (body == NULL)
            return NULL;
    } else {
        body = malloc(sizeof *body + capacity * sizeof(struct page *));
        if (body == NULL)
            return NULL;
        atomic_init(&body->references, 1);
        body->count = old == NULL ? 0 : old->count;
        body->page_count = count;
        for (size_t i = 0; i < count; i++) {
            body->pages[i] = old->pages[i];
            atomic_fetch_add_explicit(&body->pages[i]->references, 1, memory_order_relaxed);
        }
        shelf_deinit(shelf);
    }
    body->page_capacity = capacity;
    shelf->body = body;
    return body;
}

static struct page *own_page(struct shelf_body *body, size_t at)
{
    struct page *old = body->pages[at];

    if (!is_shared(&old->references))
        return old;
    struct page *page = page_new();
    if (page == NULL)
        return NULL;
    page->count = old->count;
    for (unsigned i = 0; i < old->count; i++) {
        page->items[i].order = old->items[i].order;
        page->items[i].resource = resource_ref(old->items[i].resource);
    }
    body->pages[at] = page;
    page_unref(old);
    return page;
}

static void insert_page(struct shelf_body *body, size_t at, struct page *page)
{
    memmove(&body->pages[at + 1], &body->pages[at],
            (body->page_count - at) * sizeof(struct page *));
    body->pages[at] = page;
    body->page_count++;
}

/* ---- finding ---- */

static int compare(const struct item *item, uint64_t order, enum kind kind,
                   struct slice name)
{
    if (item->order != order)
        return item->order < order ? -1 : 1;
    if (item->resource->kind != kind)
        return item->resource->kind < kind ? -1 : 1;
    return slice_compare(item->resource->name, name);
}

struct place {
    size_t page;
    unsigned at;
    bool is_found;
};

/* Where it stands, or would: in the page whose last item is not before it, else
 * behind the last item of all. */
static struct place find(const struct shelf_body *body, uint64_t order, enum kind kind,
                         struct slice name)
{
    struct place place = {0};
    size_t low = 0, high = body == NULL ? 0 : body->page_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct page *page = body->pages[middle];
        if (compare(&page->items[page->count - 1], order, kind, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    place.page = low;
    if (body == NULL || low == body->page_count)
        return place;
    const struct page *page = body->pages[low];
    unsigned first = 0, end = page->count;
    while (first < end) {
        unsigned middle = (first + end) / 2;
        int difference = compare(&page->items[middle], order, kind, name);
        if (difference == 0) {
            place.at = middle;
            place.is_found = true;
            return place;
        }
        if (difference < 0)
            first = middle + 1;
        else
            end = middle;
    }
    place.at = first;
    return place;
}

const struct resource *shelf_get(const struct shelf *shelf, uint64_t order, enum kind kind,
                                 struct slice name)
{
    struct place place = find(shelf->body, order, kind, name);

    return place.is_found ? shelf->body->pages[place.page]->items[place.at].resource : NULL;
}

/* ---- changing ---- */

/* A page with room where the new item shall stand; moves `place` along. */
static struct page *make_room(struct shelf_body *body, struct place *place)
{
    if (place->page == body->page_count) { /* behind all: fill the last page first */
        if (body->page_count > 0 && body->pages[body->page_count - 1]->count < PAGE_ITEMS) {
            place->page--;
            place->at = body->pages[place->page]->count;
            return own_page(body, place->page);
        }
        struct page *page = page_new();
        if (page != NULL)
            insert_page(body, place->page, page);
        place->at = 0;
        return page;
    }
    struct page *page = own_page(body, place->page);
    if (page == NULL || page->count < PAGE_ITEMS)
        return page;
    struct page *right = page_new();
    if (right == NULL)
        return NULL;
    unsigned half = page->count / 2;
    right->count = page->count - half;
    memcpy(right->items, &page->items[half], right->count * sizeof right->items[0]);
    page->count = half;
    insert_page(body, place->page + 1, right);
    if (place->at <= half)
        return page;
    place->page++;
    place->at -= half;
    return right;
}

bool shelf_put(struct shelf *shelf, uint64_t order, const struct resource *resource)
{
    struct shelf_body *body = own_body(shelf);

    if (body == NULL)
        return false;
    struct place place = find(body, order, resource->kind, resource->name);
    struct page *page =
        place.is_found ? own_page(body, place.page) : make_room(body, &place);
    if (page == NULL)
        return false;
    struct item *item = &page->items[place.at];
    const struct resource *old = NULL;
    if (place.is_found) {
        old = item->resource;
    } else {
        memmove(item + 1, item, (page->count - place.at) * sizeof *item);
        page->count++;
        body->count++;
    }
    *item = (struct item){order, resource_ref(resource)};
    resource_unref(old);
    return true;
}

bool shelf_remove(struct shelf *shelf, uint64_t order, enum kind kind, struct slice name,
                  bool *ret_found)
{
    struct place place = find(shelf->body, order, kind, name);

    *ret_found = place.is_found;
    if (!place.is_found)
        return true;
    struct shelf_body *body = own_body(shelf);
    struct page *page = body == NULL ? NULL : own_page(body, place.page);
    if (page == NULL)
        return false;
    struct item *item = &page->items[place.at];
    resource_unref(item->resource);
    page->count--;
    body->count--;
    memmove(item, item + 1, (page->count - place.at) * sizeof *item);
    if (page->count > 0)
        return true;
    page_unref(page);
    body->page_count--;
    memmove(&body->pages[place.page], &body->pages[place.page + 1],
            (body->page_count - place.page) * sizeof(struct page *));
    return true;
}

/* ---- walking ---- */

struct shelf_cursor shelf_first(const struct shelf *shelf)
{
    return (struct shelf_cursor){.body = shelf->body};
}

struct shelf_cursor shelf_seek(const struct shelf *shelf, uint64_t order)
{
    struct place place = find(shelf->body, order, (enum kind)0, (struct slice){"", 0});

    return (struct shelf_cursor){shelf->body, place.page, place.at};
}

static const struct item *here(const struct shelf_cursor *cursor)
{
    if (cursor->body == NULL || cursor->page == cursor->body->page_count)
        return NULL;
    return &cursor->body->pages[cursor->page]->items[cursor->at];
}

static const struct resource *go_on(struct shelf_cursor *cursor, const struct item *item)
{
    if (++cursor->at == cursor->body->pages[cursor->page]->count) {
        cursor->page++;
        cursor->at = 0;
    }
    return item->resource;
}

const struct resource *shelf_next(struct shelf_cursor *cursor)
{
    const struct item *item = here(cursor);

    return item == NULL ? NULL : go_on(cursor, item);
}

const struct resource *shelf_next_of(struct shelf_cursor *cursor, uint64_t order)
{
    const struct item *item = here(cursor);

    return item == NULL || item->order != order ? NULL : go_on(cursor, item);
}
