/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ds layer: lists, heaps and hash maps against plain models of themselves. */
#undef NDEBUG
#include <check.h>
#include <stdlib.h>

#include "ds/hash.h"
#include "ds/heap.h"
#include "ds/index-list.h"
#include "ds/index-map.h"
#include "ds/list.h"

/* Reproducible numbers (xorshift). */
static uint64_t state = 88172645463325252;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

struct element {
	struct list link;
	int value;
};

START_TEST(a_list_keeps_order)
{
	struct element elements[10];
	struct list list, *link, *following;
	int expected = 0;

	list_init(&list);
	ck_assert(list_empty(&list));
	ck_assert_ptr_null(list_first(&list, struct element, link));
	for (int i = 0; i < 10; i++) {
		elements[i].value = i;
		list_init(&elements[i].link);
		ck_assert(!list_linked(&elements[i].link));
		list_add_tail(&list, &elements[i].link);
	}
	list_for_each(link, &list)
		ck_assert_int_eq(container_of(link, struct element, link)->value, expected++);
	ck_assert_int_eq(expected, 10);
	list_for_each_safe(link, following, &list)
		if (container_of(link, struct element, link)->value % 2)
			list_remove(link);
	list_move_tail(&list, &elements[0].link);
	ck_assert_int_eq(list_first(&list, struct element, link)->value, 2);
	ck_assert_int_eq(container_of(list.prev, struct element, link)->value, 0);
	ck_assert(!list_linked(&elements[1].link));
	list_remove(&elements[1].link); /* again: does nothing */
}
END_TEST

START_TEST(a_heap_gives_the_earliest_whatever_is_removed)
{
	enum { N = 500 };
	static struct heap_node nodes[N];
	struct heap heap = HEAP_INIT;
	int64_t last = INT64_MIN;
	size_t left = N;

	for (size_t i = 0; i < N; i++)
		heap_add(&heap, &nodes[i], (int64_t)(draw() % 1000) - 500);
	for (size_t i = 0; i < N; i += 3) {
		heap_remove(&heap, &nodes[i]);
		heap_remove(&heap, &nodes[i]); /* again: does nothing */
		ck_assert(!heap_linked(&nodes[i]));
		left--;
	}
	while (heap_first(&heap)) {
		struct heap_node *first = heap_first(&heap);

		ck_assert_int_ge(first->at, last);
		last = first->at;
		heap_remove(&heap, first);
		left--;
	}
	ck_assert_uint_eq(left, 0);
	heap_deinit(&heap);
}
END_TEST

struct entry {
	struct hash_node node;
	uint64_t key;
	bool present;
};

static struct entry *find(const struct hash_map *map, uint64_t key, uint64_t hash)
{
	struct hash_node *node;

	hash_map_for_each(node, map, hash)
		if (container_of(node, struct entry, node)->key == key)
			return container_of(node, struct entry, node);
	return NULL;
}

START_TEST(a_hash_map_finds_what_is_in_it_while_it_grows)
{
	enum { N = 5000 };
	static struct entry entries[N];
	struct hash_map map = HASH_MAP_INIT;
	size_t n = 0;

	ck_assert_ptr_null(find(&map, 1, hash_number(1)));
	for (int step = 0; step < 40000; step++) {
		const size_t i = draw() % N;
		/* Every seventh key collides with its neighbours. */
		const uint64_t hash = i % 7 ? hash_number(i) : i / 70;

		entries[i].key = i;
		if (entries[i].present) {
			ck_assert_ptr_eq(find(&map, i, hash), &entries[i]);
			hash_map_remove(&map, &entries[i].node);
			n--;
		} else {
			ck_assert_ptr_null(find(&map, i, hash));
			hash_map_add(&map, &entries[i].node, hash);
			n++;
		}
		entries[i].present = !entries[i].present;
		ck_assert_uint_eq(map.n, n);
	}
	for (size_t i = 0; i < N; i++)
		ck_assert((find(&map, i, i % 7 ? hash_number(i) : i / 70) != NULL) ==
			entries[i].present);
	hash_map_deinit(&map);
}
END_TEST

START_TEST(nodes_of_one_hash_come_in_order_of_addition)
{
	static struct entry entries[300];
	struct hash_map map = HASH_MAP_INIT;
	struct hash_node *node;
	uint64_t expected = 0;

	for (size_t i = 0; i < 300; i++) { /* every third has the hash 7; growth happens meanwhile */
		entries[i].key = i / 3;
		hash_map_add(&map, &entries[i].node, i % 3 ? hash_number(i) : 7);
	}
	hash_map_for_each(node, &map, 7)
		ck_assert_uint_eq(container_of(node, struct entry, node)->key, expected++);
	ck_assert_uint_eq(expected, 100);
	hash_map_deinit(&map);
}
END_TEST

struct indexed {
	struct index_link link;
	struct index_node node;
	uint64_t key;
	bool present;
};

START_TEST(an_index_list_is_a_list)
{
	enum { N = 40 };
	static struct indexed array[N];
	const struct index_links links = INDEX_LINKS(array, link);
	struct index_list list;
	uint32_t model[N], n = 0, i, following, seen;

	index_list_init(&list);
	for (i = 0; i < N; i++)
		index_link_init(&array[i].link);
	for (int step = 0; step < 4000; step++) {
		const uint32_t chosen = draw() % N;

		if (index_linked(&array[chosen].link)) {
			uint32_t at = 0;

			index_list_remove(links, &list, chosen);
			while (model[at] != chosen)
				at++;
			for (n--; at < n; at++)
				model[at] = model[at + 1];
		} else {
			index_list_add_tail(links, &list, chosen);
			model[n++] = chosen;
		}
		seen = 0;
		index_list_for_each(i, links, &list) {
			ck_assert_uint_eq(model[seen++], i);
			ck_assert(index_linked(&array[i].link));
		}
		ck_assert_uint_eq(seen, n);
		ck_assert(index_list_empty(&list) == (n == 0));
	}
	index_list_for_each_safe(i, following, links, &list)
		index_list_remove(links, &list, i);
	ck_assert(index_list_empty(&list));
}
END_TEST

static uint32_t find_indexed(const struct index_map *map, const struct indexed *array, uint64_t key,
	uint64_t hash)
{
	uint32_t i;

	index_map_for_each(i, map, INDEX_NODES(array, node), hash)
		if (array[i].key == key)
			break;
	return i;
}

START_TEST(an_index_map_finds_what_is_in_it_while_it_grows)
{
	enum { N = 5000 };
	static struct indexed array[N];
	const struct index_nodes nodes = INDEX_NODES(array, node);
	struct index_map map = { .n = 0 };
	size_t n = 0;

	ck_assert_uint_eq(find_indexed(&map, array, 1, hash_number(1)), INDEX_NONE);
	for (int step = 0; step < 40000; step++) {
		const uint32_t i = draw() % N;
		/* Every seventh key collides with its neighbours. */
		const uint64_t hash = i % 7 ? hash_number(i) : i / 70;

		array[i].key = i;
		ck_assert_uint_eq(find_indexed(&map, array, i, hash),
			array[i].present ? i : INDEX_NONE);
		if (array[i].present)
			index_map_remove(&map, nodes, i);
		else
			index_map_add(&map, nodes, i, hash);
		array[i].present = !array[i].present;
		n += array[i].present ? 1 : -1;
		ck_assert_uint_eq(map.n, n);
	}
	for (uint32_t i = 0; i < N; i++)
		ck_assert_uint_eq(find_indexed(&map, array, i, i % 7 ? hash_number(i) : i / 70),
			array[i].present ? i : INDEX_NONE);
	index_map_deinit(&map);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ds");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_list_keeps_order);
	tcase_add_test(tcase, a_heap_gives_the_earliest_whatever_is_removed);
	tcase_add_test(tcase, a_hash_map_finds_what_is_in_it_while_it_grows);
	tcase_add_test(tcase, nodes_of_one_hash_come_in_order_of_addition);
	tcase_add_test(tcase, an_index_list_is_a_list);
	tcase_add_test(tcase, an_index_map_finds_what_is_in_it_while_it_grows);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
