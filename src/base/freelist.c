#include "base/freelist.h"
#include "base/slots.h"

#define REFILL 16u /* so many of those that lay still are wanted again at once */

static void *pop(void **list)
{
	void *p = *list;
	memcpy(list, p, sizeof(void *));
	return p;
}

void *free_list_refill(struct free_list *l, size_t bytes)
{
	l->bytes = (uint32_t)bytes;
	if (!l->still)
		return slots_take(bytes);
	void *p = pop(&l->still);
	l->still_count--;
	while (l->still && l->count < REFILL) {
		void *more = pop(&l->still);
		l->still_count--;
		memcpy(more, &l->first, sizeof(void *));
		l->first = more;
		l->count++;
	}
	return p;
}

void free_list_spill(struct free_list *l, void *p)
{
	slots_give(p, l->bytes);
}

static void give_all(void **list, uint32_t bytes)
{
	while (*list)
		slots_give_up(pop(list), bytes);
}

void free_list_cool(struct free_list *l)
{
	give_all(&l->still, l->bytes);
	l->still = l->first;
	l->still_count = l->count;
	l->first = NULL;
	l->count = 0;
}

void free_list_purge(struct free_list *l)
{
	give_all(&l->first, l->bytes);
	give_all(&l->still, l->bytes);
	l->count = l->still_count = 0;
}
