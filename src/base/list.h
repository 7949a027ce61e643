/*
 * list: a doubly linked ring through its members. A member that is in no list
 * points at itself, so that it can be asked, and be removed twice. (musl has no
 * <sys/queue.h>.)
 */
#ifndef PAMTUNNEL_BASE_LIST_H
#define PAMTUNNEL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The object of a type around its list member. */
#define list_owner(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* NOLINTBEGIN(bugprone-macro-parentheses): types and names take none */
/*
 * A loop over all objects that are in the list by this member, from the first to the last. The
 * body may take out, and free, the one that it is at, but no other.
 */
#define list_each(type, object, head, member)                                 \
    for (type *object = list_owner((head)->next, type, member),               \
              *object##_next = list_owner(object->member.next, type, member); \
         &object->member != (head);                                           \
         object = object##_next, object##_next = list_owner(object->member.next, type, member))
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void list_init(struct list *list)
{
    list->prev = list->next = list;
}

/* Of a head: nothing in the list. Of a member: in no list. */
static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the first one out, or NULL. */
static inline struct list *list_take(struct list *head)
{
    struct list *node = head->next;
    if (node == head) {
        return NULL;
    }
    list_remove(node);
    return node;
}

#endif
