/* list.h - intrusive doubly linked list. A node that is in no list points to itself after
 * list_init, so list_remove is safe to repeat. One thread. */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define LIST_FOR_EACH(node, head)                                                                  \
	for (struct list *node = (head)->next; node != (head); node = node->next)
/* `node` may be removed, and only it. */
#define LIST_FOR_EACH_SAFE(node, head)                                                             \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head);          \
		node = node##_next, node##_next = node->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_insert_after(struct list *at, struct list *node)
{
	node->next = at->next;
	node->prev = at;
	at->next->prev = node;
	at->next = node;
}
static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}
static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}
static inline void list_remove(struct list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	list_init(node);
}
/* The first node, removed; NULL when empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *node = head->next;
	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}
/* Moves all of `from` behind the last node of `to`. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}
#endif
