#include "base/list.h"
#include "tap.h"

struct item {
	struct list node;
	int value;
};

static struct item items[4];
static struct list head;

static void fill(void)
{
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].value = i + 1;
		list_push_back(&head, &items[i].node);
	}
}

/* The values as a decimal number: 1,2,3 is 123. */
static int spell(const struct list *l)
{
	int word = 0;
	LIST_FOR_EACH (node, (struct list *)(void *)(size_t)l)
		word = word * 10 + CONTAINER_OF(node, struct item, node)->value;
	return word;
}

TEST(nodes_keep_the_order_in_which_they_were_pushed)
{
	struct item front = {.value = 9};
	fill();
	CHECK_EQ(spell(&head), 1234);
	list_push_front(&head, &front.node);
	CHECK_EQ(spell(&head), 91234);
}

TEST(a_node_can_be_inserted_behind_another)
{
	struct item middle = {.value = 9};
	fill();
	list_insert_after(&items[1].node, &middle.node);
	CHECK_EQ(spell(&head), 12934);
}

TEST(removing_twice_is_harmless)
{
	fill();
	list_remove(&items[2].node);
	list_remove(&items[2].node);
	CHECK_EQ(spell(&head), 124);
	CHECK(list_empty(&items[2].node));
}

TEST(pop_front_takes_the_oldest_until_there_is_none)
{
	fill();
	for (int i = 0; i < 4; i++)
		CHECK(list_pop_front(&head) == &items[i].node);
	CHECK(list_pop_front(&head) == NULL);
	CHECK(list_empty(&head));
}

TEST(the_current_node_may_be_removed_in_a_safe_walk)
{
	fill();
	LIST_FOR_EACH_SAFE (node, &head)
		if (CONTAINER_OF(node, struct item, node)->value % 2 == 0)
			list_remove(node);
	CHECK_EQ(spell(&head), 13);
}

TEST(splice_moves_all_and_leaves_the_other_list_empty)
{
	struct list other;
	struct item more[2] = {{.value = 5}, {.value = 6}};
	fill();
	list_init(&other);
	list_splice_back(&head, &other);
	CHECK_EQ(spell(&head), 1234);
	list_push_back(&other, &more[0].node);
	list_push_back(&other, &more[1].node);
	list_splice_back(&head, &other);
	CHECK_EQ(spell(&head), 123456);
	CHECK(list_empty(&other));
	list_splice_back(&other, &head);
	CHECK_EQ(spell(&other), 123456);
	CHECK(list_empty(&head));
}

TAP_MAIN()
