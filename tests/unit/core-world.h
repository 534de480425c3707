/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core with edges that only pretend, for unit tests: memfds are numbers, and
 * every one must be closed once.  The pack has its bytes, a memfd the first eight.
 * After each event the core checks itself.
 */
#ifndef TESTS_CORE_WORLD_H
#define TESTS_CORE_WORLD_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"

#define WORLD_FDS     200000
#define WORLD_REPLIES 256
#define WORLD_HELD    4096
#define PENDING       1 /* what functions that return a reply's status give while there is none */
#define PAGE          4096
#define SECOND        INT64_C(1000000000)

/* A reply as far as tests look at it. */
struct answer {
	uint32_t conn;
	uint16_t type;
	uint64_t serial;
	int status;
	char text[600];
	uint32_t n_items, n_fds, n_holders;
	uint64_t cursor, skip, lost, generation;
	struct wire_item items[64]; /* without what they point to, but: */
	char names[64][64];         /* the first name of each */
	int fds[64];
	struct core_place places[64];
	char metadata[64];          /* of the first item */
	char labels[64];            /* likewise, with / for NUL */
	char call_site[64];
	struct wire_holder holders[64]; /* without what they point to, but: */
	char holder_texts[64][20];
};

struct world {
	struct core_config config;
	void *memory;
	size_t size;
	struct core *core;
	int64_t now;
	uint64_t next_serial;
	bool fd_open[WORLD_FDS];
	int next_fd;
	struct answer answers[WORLD_REPLIES]; /* the latest */
	unsigned int n_answers;
	/* Effects of these types are kept instead of carried out; world_carry_out() does. */
	bool hold[CORE_PACK_PUNCH + 1];
	struct core_effect held[WORLD_HELD];
	uint64_t held_bytes[WORLD_HELD]; /* MAKE: fd_bytes */
	unsigned int n_held;
	/* What the pretending edges answer. */
	int make_result, adopt_result, seal_result, fill_result;
	uint64_t adopt_size;                  /* UINT64_MAX: as asked */
	unsigned int n_evicted_checks, n_strangers, n_disconnects, n_closes, n_fills;
	bool retry, unchecked;
	bool with_pack;                       /* else the pack cannot be made, and memfds are */
	int pack_result;                      /* of what is written there; negative: nothing is */
	char *pack;                           /* what is in it */
	size_t pack_size;
	uint64_t fd_bytes[WORLD_FDS];         /* the first eight that are in a memfd */
};

void world_start(struct world *world); /* config is set before; zero fields get defaults */
void world_end(struct world *world);   /* checks that nothing leaks */
/* The worker dies between two events; its heir opens the tables and resumes. */
void world_crash(struct world *world);
/* The same in two steps, for tests that lose descriptors in between. */
void world_die(struct world *world);
void world_resume(struct world *world);
void world_settle(struct world *world);  /* take the effects and carry them out */
void world_carry_out(struct world *world, enum core_effect_type type); /* the held ones */
void world_tick(struct world *world, int64_t ns);
const struct answer *world_answer(const struct world *world, uint32_t conn, uint64_t serial);
const struct answer *world_last(const struct world *world);
struct core_totals world_totals(const struct world *world);

struct id128 id_of(unsigned int number);
uint32_t connect_as(struct world *world, uid_t uid); /* gid is the uid's number too */
/* Send any request; returns the reply's status, or PENDING. */
int ask(struct world *world, uint32_t conn, struct wire_request request, int fd);
uint64_t last_serial(const struct world *world);
int put(struct world *world, uint32_t conn, unsigned int id, uint32_t size);
int put_mode(struct world *world, uint32_t conn, unsigned int id, uint32_t size, uint32_t mode);
int create(struct world *world, uint32_t conn, unsigned int id, uint64_t size);
int create_until(struct world *world, uint32_t conn, unsigned int id, uint64_t size,
	int64_t timeout);
int simple(struct world *world, uint32_t conn, uint16_t type, unsigned int id); /* SEAL ABORT DELETE STAT */
int get(struct world *world, uint32_t conn, unsigned int id, int64_t timeout, uint32_t flags);
int get_two(struct world *world, uint32_t conn, unsigned int a, unsigned int b, int64_t timeout);
void release(struct world *world, uint32_t conn, unsigned int id, uint32_t refs, uint32_t pins);
int hold(struct world *world, uint32_t conn, const char *name, unsigned int id);
int named(struct world *world, uint32_t conn, uint16_t type, const char *name); /* LOOKUP UNHOLD */
int lease(struct world *world, uint32_t conn, uint16_t type, unsigned int id, unsigned int token);
void reconcile(struct world *world, uint32_t conn, const struct wire_item *items, uint32_t n);
/* Is there an object of this id for root? */
bool exists(struct world *world, unsigned int id);
/* The first eight bytes behind an item of this answer, inline or not. */
uint64_t bytes_of(const struct world *world, const struct answer *answer, unsigned int item);
uint64_t counter(struct world *world, const char *key);
/* The same, without another connection. */
uint64_t counter_as(struct world *world, uint32_t conn, const char *key);

/* Run these tests, each after setup().  Return: main()'s. */
int world_suite(const char *name, const TTest *const *tests, size_t n, void (*setup)(void));
/* The same, and one more n_loop times, with _i from 0 on. */
int world_suite_and_loop(const char *name, const TTest *const *tests, size_t n,
	void (*setup)(void), const TTest *loop, size_t n_loop);

#endif
