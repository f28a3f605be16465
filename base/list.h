/* A doubly linked list whose links are members of the items. Owns nothing. */
#ifndef GW_BASE_LIST_H
#define GW_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(pointer, type, member) \
    ((type *)((char *)(pointer)-offsetof(type, member)))

/* As a head: points at itself when empty. As an item: NULLs when in no list. */
struct list_link {
    struct list_link *next;
    struct list_link *prev;
};

static inline void list_init(struct list_link *head)
{
    head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list_link *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list_link *item)
{
    return item->next != NULL;
}

static inline void list_insert_after(struct list_link *place, struct list_link *item)
{
    item->prev = place;
    item->next = place->next;
    place->next->prev = item;
    place->next = item;
}

static inline void list_prepend(struct list_link *head, struct list_link *item)
{
    list_insert_after(head, item);
}

static inline void list_append(struct list_link *head, struct list_link *item)
{
    list_insert_after(head->prev, item);
}

/* Does nothing for an item in no list. */
static inline void list_remove(struct list_link *item)
{
    if (item->next == NULL)
        return;
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->next = item->prev = NULL;
}

/* The first item taken out, or NULL. */
static inline struct list_link *list_take_first(struct list_link *head)
{
    struct list_link *item = head->next;
    if (item == head)
        return NULL;
    list_remove(item); /* NOLINT(clang-analyzer-unix.Malloc): lost in lists */
    return item;
}

/* Moves all items of `from` to the end of `to`. */
static inline void list_move_all(struct list_link *to, struct list_link *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* The item may be removed inside the loop. */
#define list_each(head, link)                                                              \
    for (struct list_link *link = (head)->next, *link##_next = link->next; link != (head); \
         link = link##_next, link##_next = link->next)

#endif
