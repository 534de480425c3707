/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every function of ostore.h against a real broker ($OSTORE_ADDRESS, capacity at
 * least 64 MiB and at most 1 GiB), and every error that a caller can provoke.
 */
#undef NDEBUG
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client-test.h"

#define OPTIONS(...) (&(struct ostore_put_options){ .size = sizeof(struct ostore_put_options), __VA_ARGS__ })

static ostore_id random_id(void)
{
	ostore_id id;

	CHECK_INT(ostore_id_random(&id), 0);
	return id;
}

static struct ostore_object *put_pattern(struct ostore *conn, uint64_t size, uint64_t seed)
{
	struct ostore_object *object;
	void *data = malloc(size + 1);

	pattern_fill(data, size, seed);
	CHECK_INT(ostore_put(conn, data, size, NULL, &object), 0);
	free(data);
	return object;
}

static uint32_t refs_of(struct ostore *conn, const ostore_id *id)
{
	struct ostore_stat *stat;
	uint32_t refs;

	CHECK_INT(ostore_stat(conn, id, &stat), 0);
	refs = stat->info.refs;
	ostore_stat_free(stat);
	return refs;
}

static uint32_t pins_of(struct ostore *conn, const ostore_id *id)
{
	struct ostore_stat *stat;
	uint32_t pins;

	CHECK_INT(ostore_stat(conn, id, &stat), 0);
	pins = stat->info.pins;
	ostore_stat_free(stat);
	return pins;
}

/* ---- ids and words ---- */

static void ids_are_32_hex_digits(void)
{
	ostore_id id = random_id(), same;
	char hex[33];

	CHECK(ostore_id_format(&id, hex) == hex);
	CHECK_INT(strlen(hex), 32);
	CHECK_INT(ostore_id_parse(&same, hex), 0);
	CHECK_INT(memcmp(&id, &same, sizeof id), 0);
	CHECK_FAILS(ostore_id_parse(&same, "12"), EINVAL);
	CHECK_FAILS(ostore_id_parse(&same, "0123456789abcdef0123456789abcdeg"), EINVAL);
	CHECK_FAILS(ostore_id_parse(&same, "0123456789abcdef0123456789abcdef0"), EINVAL);
	CHECK_FAILS(ostore_id_parse(&same, NULL), EINVAL);
}

static void words_are_there(void)
{
	CHECK(strcmp(ostore_state_name(OSTORE_CREATED), "created") == 0);
	CHECK(strcmp(ostore_state_name(OSTORE_RESIDENT), "resident") == 0);
	CHECK(strcmp(ostore_state_name(OSTORE_SPILLED), "spilled") == 0);
	CHECK(strcmp(ostore_state_name(OSTORE_PAGING), "paging") == 0);
	CHECK(strlen(ostore_version()) >= strlen("0.1"));
}

/* ---- put and get ---- */

static void every_size_comes_back_exactly(void)
{
	static const uint64_t sizes[] = { 0, 1, 7, 63, 64, 4095, 4096, 65535, 65536, 65537,
		2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB + 12345 };
	struct ostore *conn = connect_or_die(), *other = connect_or_die();

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (unsigned int flags = 0; flags <= OSTORE_GET_MAP; flags += OSTORE_GET_MAP) {
			struct ostore_object *put = put_pattern(conn, sizes[i], i), *got;

			CHECK_INT(ostore_size(put), sizes[i]);
			CHECK(ostore_data(put) == NULL);
			CHECK_INT(ostore_get(other, ostore_object_id(put), 1, 0, flags, &got), 0);
			CHECK_INT(ostore_size(got), sizes[i]);
			CHECK((ostore_data(got) == NULL) == (sizes[i] == 0));
			CHECK(pattern_is(ostore_data(got), sizes[i], i));
			CHECK_INT((uintptr_t)ostore_data(got) % OSTORE_DATA_ALIGN, 0);
			CHECK_INT(memcmp(ostore_object_id(got), ostore_object_id(put), 16), 0);
			CHECK_INT(ostore_owner(got), geteuid());
			CHECK_INT(ostore_owner(put), geteuid());
			ostore_release(got);
			ostore_release(put);
		}
	}
	ostore_close(other);
	ostore_close(conn);
}

static void pieces_arrive_in_order(void)
{
	struct ostore *conn = connect_or_die();
	static unsigned char bytes[3 * MIB];
	struct iovec pieces[200];

	pattern_fill(bytes, sizeof bytes, 5);
	for (size_t total = 1000; total <= sizeof bytes; total *= 3001) {
		size_t at = 0, n = sizeof pieces / sizeof *pieces;
		struct ostore_object *object;

		for (size_t i = 0; i < n; i++) {
			size_t size = i == n - 1 ? total - at : i % 7 == 0 ? 0 : total / n;

			pieces[i] = (struct iovec){ size ? bytes + at : NULL, size };
			at += size;
		}
		CHECK_INT(ostore_putv(conn, pieces, n, NULL, &object), 0);
		CHECK_INT(ostore_size(object), total);
		CHECK_INT(ostore_map(object), 0);
		CHECK(pattern_is(ostore_data(object), total, 5));
		ostore_release(object);
	}
	pieces[0].iov_len = pieces[1].iov_len = SIZE_MAX;
	pieces[0].iov_base = pieces[1].iov_base = bytes;
	CHECK_FAILS(ostore_putv(conn, pieces, 2, NULL, NULL), EINVAL);
	CHECK_INT(ostore_putv(conn, NULL, 0, NULL, NULL), 0);
	ostore_close(conn);
}

#define N_MANY 3000

/* Of 0 bytes, of one piece and of two, small and large in turn. */
static void many_are_put_at_once(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	static unsigned char bytes[N_MANY * 40 + 70000];
	static struct ostore_object *put[N_MANY], *got[N_MANY];
	static struct ostore_value values[N_MANY];
	static struct iovec pieces[N_MANY][2];
	static int errors[N_MANY];
	static ostore_id ids[N_MANY];

	pattern_fill(bytes, sizeof bytes, 7);
	for (size_t i = 0; i < N_MANY; i++) {
		size_t size = i % 500 == 250 ? 70000 : i % 100 == 50 ? 60000 : i % 40;

		pieces[i][0] = (struct iovec){ bytes + i, size / 2 };
		pieces[i][1] = (struct iovec){ bytes + i + size / 2, size - size / 2 };
		values[i] = (struct ostore_value){ .pieces = pieces[i], .n_pieces = size ? 2 : 0 };
		if (i % 3 == 0 && size) {
			pieces[i][0].iov_len = size;
			values[i].n_pieces = 1;
		}
	}
	values[5].options = OPTIONS(.metadata = "five", .metadata_size = 4);
	values[6].options = OPTIONS(.name = "sixth");
	memset(errors, 1, sizeof errors);
	CHECK_INT(ostore_put_many(conn, values, N_MANY, 0, put, errors), 0);
	for (size_t i = 0; i < N_MANY; i++) {
		CHECK_INT(errors[i], 0);
		ids[i] = *ostore_object_id(put[i]);
	}
	CHECK_INT(ostore_get(other, ids, N_MANY, 0, 0, got), 0);
	for (size_t i = 0; i < N_MANY; i++) {
		size_t size = i % 500 == 250 ? 70000 : i % 100 == 50 ? 60000 : i % 40, n;

		CHECK_INT(ostore_size(got[i]), size);
		CHECK_INT(ostore_size(put[i]), size);
		CHECK(size == 0 || memcmp(ostore_data(got[i]), bytes + i, size) == 0);
		(void)ostore_metadata(got[i], &n);
		CHECK_INT(n, i == 5 ? 4 : 0);
		(void)ostore_metadata(put[i], &n);
		CHECK_INT(n, i == 5 ? 4 : 0);
		ostore_release(got[i]);
		ostore_release(put[i]);
	}
	CHECK_INT(refs_of(conn, &ids[5]), 0);
	CHECK_INT(refs_of(conn, &ids[6]), 1);
	CHECK_INT(ostore_unhold(conn, "sixth"), 0);
	CHECK_INT(ostore_put_many(conn, NULL, 0, 0, NULL, NULL), 0);
	CHECK_FAILS(ostore_put_many(conn, NULL, 1, 0, NULL, NULL), EINVAL);
	CHECK_FAILS(ostore_put_many(conn, values, 1, -1, NULL, NULL), EINVAL);
	ostore_close(other);
	ostore_close(conn);
}

static void one_of_many_fails_alone(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *taken = put_pattern(conn, 10, 1), *put[7];
	ostore_id id = *ostore_object_id(taken), twice, zeros = { { 0 } };
	struct iovec piece = { &id, sizeof id }, none = { NULL, 3 };
	struct ostore_value values[7];
	int errors[7];

	CHECK_INT(ostore_id_random(&twice), 0);
	for (size_t i = 0; i < 7; i++)
		values[i] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
	values[1].options = OPTIONS(.id = &id);
	values[2].options = OPTIONS(.id = &twice);
	values[3].pieces = &none;
	values[4].options = OPTIONS(.id = &twice);
	values[5].options = OPTIONS(.id = &zeros);
	CHECK_FAILS(ostore_put_many(conn, values, 7, SEC, put, errors), EEXIST);
	for (size_t i = 0; i < 7; i++) {
		int expected = i == 1 || i == 4 ? -EEXIST : i == 3 || i == 5 ? -EINVAL : 0;

		CHECK_INT(errors[i], expected);
		CHECK((put[i] == NULL) == (expected < 0));
		ostore_release(put[i]);
	}
	/* nobody wants the references: what was stored may be dropped */
	CHECK_INT(ostore_put_many(conn, values, 1, 0, NULL, NULL), 0);
	CHECK_FAILS(ostore_put_many(conn, values, 7, 0, NULL, NULL), EEXIST);
	CHECK_INT(refs_of(conn, &id), 1);
	ostore_release(taken);
	ostore_close(conn);
}

/* More than fits, and more than the broker copies for requests that wait. */
static void many_for_whom_there_is_no_room_are_told(void)
{
	enum { N = 5000, SIZE = 60000 };
	struct ostore *conn = connect_or_die();
	static struct ostore_value values[N];
	static struct ostore_object *put[N];
	static unsigned char bytes[SIZE];
	static int errors[N];
	struct iovec piece = { bytes, SIZE };
	size_t n_put = 0;

	for (size_t i = 0; i < N; i++)
		values[i] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
	CHECK_FAILS(ostore_put_many(conn, values, N, 50 * MS, put, errors), ENOBUFS);
	for (size_t i = 0; i < N; i++) {
		CHECK(put[i] ? errors[i] == 0 : errors[i] == -ENOBUFS);
		n_put += put[i] != NULL;
	}
	CHECK(n_put > 1000 && n_put < N);
	for (size_t i = 0; i < N; i++)
		ostore_release(put[i]);
	/* now others make room */
	CHECK_INT(ostore_put_many(conn, values, 1000, 0, put, NULL), 0);
	for (size_t i = 0; i < 1000; i++)
		ostore_release(put[i]);
	ostore_close(conn);
}

static void a_draft_is_written_in_place_and_sealed(void)
{
	struct ostore *conn = connect_or_die();
	static const uint64_t sizes[] = { 1, 100, 70000, 3 * MIB };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct ostore_object *draft, *early = NULL;
		unsigned char *bytes;

		CHECK_INT(ostore_create(conn, sizes[i], NULL, &draft), 0);
		bytes = ostore_buffer(draft);
		CHECK(bytes != NULL);
		for (uint64_t j = 0; j < sizes[i]; j++)
			CHECK_INT(bytes[j], 0);
		if (sizes[i] >= 2 * MIB)
			CHECK_INT((uintptr_t)bytes % (2 * MIB), 0);
		pattern_fill(bytes, sizes[i], i);
		CHECK_FAILS(ostore_get(conn, ostore_object_id(draft), 1, 0, 0, &early), ENOENT);
		CHECK(early == NULL);
		CHECK_FAILS(ostore_map(draft), EINVAL);
		CHECK_FAILS(ostore_dup(draft, &early), EINVAL);
		CHECK_INT(ostore_seal(draft, false), 0);
		CHECK(ostore_buffer(draft) == NULL);
		CHECK_FAILS(ostore_seal(draft, false), EINVAL);
		CHECK_FAILS(ostore_abort(draft), EINVAL);
		CHECK_INT(ostore_map(draft), 0);
		CHECK(pattern_is(ostore_data(draft), sizes[i], i));
		CHECK_INT(refs_of(conn, ostore_object_id(draft)) >= 1, 1);
		ostore_release(draft);
	}
	ostore_close(conn);
}

static void a_draft_of_no_bytes_has_no_buffer(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *draft;

	CHECK_INT(ostore_create(conn, 0, NULL, &draft), 0);
	CHECK(ostore_buffer(draft) == NULL);
	CHECK_INT(ostore_seal(draft, true), 0);
	CHECK_INT(ostore_map(draft), 0);
	CHECK(ostore_data(draft) == NULL);
	ostore_release(draft);
	ostore_close(conn);
}

/* Old pointers stay good, show what was sealed, and cannot change it. */
static void a_kept_view_is_private(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *draft, *got;
	unsigned char *bytes;

	CHECK_INT(ostore_create(conn, 3 * MIB, NULL, &draft), 0);
	bytes = ostore_buffer(draft);
	pattern_fill(bytes, 3 * MIB, 9);
	CHECK_INT(ostore_seal(draft, true), 0);
	CHECK(pattern_is(bytes, 3 * MIB, 9));
	bytes[12345] ^= 0xff;
	CHECK_INT(ostore_get(conn, ostore_object_id(draft), 1, 0, 0, &got), 0);
	CHECK(ostore_data(got) != bytes);
	CHECK(pattern_is(ostore_data(got), 3 * MIB, 9));
	ostore_release(got);
	ostore_release(draft);
	ostore_close(conn);
}

static void an_aborted_draft_never_was(void)
{
	struct ostore *conn = connect_or_die();
	ostore_id id = random_id();
	struct ostore_object *draft;

	CHECK_INT(ostore_create(conn, 100000, OPTIONS(.id = &id), &draft), 0);
	CHECK_FAILS(ostore_create(conn, 1, OPTIONS(.id = &id), &(struct ostore_object *){ NULL }), EEXIST);
	CHECK_INT(ostore_abort(draft), 0);
	CHECK_INT(ostore_abort(NULL), 0);
	CHECK_INT(ostore_create(conn, 100000, OPTIONS(.id = &id), &draft), 0);
	ostore_release(draft); /* the same */
	CHECK_INT(ostore_put(conn, "x", 1, OPTIONS(.id = &id), NULL), 0);
	ostore_close(conn);
}

static void a_sealed_memfd_is_taken_as_it_is(void)
{
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	struct ostore *conn = connect_or_die();
	struct ostore_object *object;
	unsigned char bytes[100000];
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), pipe_fds[2];

	pattern_fill(bytes, sizeof bytes, 3);
	CHECK_INT(write(fd, bytes, sizeof bytes), sizeof bytes);
	CHECK_FAILS(ostore_put_fd(conn, fd, NULL, &object), EPERM);
	CHECK_INT(fcntl(fd, F_ADD_SEALS, seals), 0);
	CHECK_INT(ostore_put_fd(conn, fd, OPTIONS(.metadata = "m", .metadata_size = 1), &object), 0);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC); /* still ours */
	close(fd);
	CHECK_INT(ostore_size(object), sizeof bytes);
	CHECK_INT(ostore_map(object), 0);
	CHECK(pattern_is(ostore_data(object), sizeof bytes, 3));
	ostore_release(object);
	CHECK_FAILS(ostore_put_fd(conn, -1, NULL, &object), EBADF);
	CHECK_INT(pipe(pipe_fds), 0);
	CHECK_FAILS(ostore_put_fd(conn, pipe_fds[0], NULL, &object), EINVAL);
	ostore_close(conn);
}

static void metadata_comes_along(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	char *metadata = malloc(OSTORE_METADATA_MAX + 1), *data = calloc(1, 65536);
	struct ostore_object *object, *got;
	size_t size;

	pattern_fill(metadata, OSTORE_METADATA_MAX + 1, 1);
	for (int big = 0; big < 2; big++) {
		struct ostore_put_options *options =
			OPTIONS(.metadata = metadata, .metadata_size = OSTORE_METADATA_MAX);

		CHECK_INT(ostore_put(conn, data, 65536, options, &object), 0);
		CHECK(pattern_is(ostore_metadata(object, &size), OSTORE_METADATA_MAX, 1));
		CHECK_INT(size, OSTORE_METADATA_MAX);
		CHECK_INT(ostore_get(other, ostore_object_id(object), 1, 0,
				  big ? OSTORE_GET_REF : 0, &got), 0);
		CHECK(pattern_is(ostore_metadata(got, NULL), OSTORE_METADATA_MAX, 1));
		ostore_release(got);
		ostore_release(object);
	}
	CHECK_FAILS(ostore_put(conn, "", 0,
			    OPTIONS(.metadata = metadata, .metadata_size = OSTORE_METADATA_MAX + 1),
			    &object), EMSGSIZE);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.metadata_size = 1), &object), EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, NULL, &object), 0);
	CHECK(ostore_metadata(object, &size) == NULL);
	CHECK_INT(size, 0);
	ostore_release(object);
	free(metadata);
	free(data);
	ostore_close(conn);
	ostore_close(other);
}

static void bad_arguments_are_refused(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object;
	ostore_id zero = { { 0 } }, id = random_id();
	char name[OSTORE_NAME_MAX + 2];
	bool ready;

	memset(name, 'n', sizeof name);
	name[OSTORE_NAME_MAX + 1] = '\0';
	CHECK_FAILS(ostore_put(NULL, "", 0, NULL, &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, NULL, 1, NULL, &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.id = &zero), &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.mode = 01777), &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.timeout = -1), &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.name = ""), &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.name = name), &object), EINVAL);
	CHECK_FAILS(ostore_put(conn, "", 0, &(struct ostore_put_options){ .size = 0 }, &object), EINVAL);
	CHECK_FAILS(ostore_create(conn, 1, NULL, NULL), EINVAL);
	CHECK_FAILS(ostore_create(conn, UINT64_MAX, NULL, &object), EFBIG);
	CHECK_FAILS(ostore_create(conn, UINT64_C(1) << 50, NULL, &object), EFBIG);
	CHECK_FAILS(ostore_get(conn, NULL, 1, 0, 0, &object), EINVAL);
	CHECK_FAILS(ostore_get(conn, &zero, 1, 0, 0, &object), EINVAL);
	CHECK_FAILS(ostore_get(conn, &id, 1, -1, 0, &object), EINVAL);
	CHECK_FAILS(ostore_get(conn, &id, 1, 0, 0x100, &object), EINVAL);
	CHECK_FAILS(ostore_get(conn, &id, 1, 0, 0, NULL), EINVAL);
	CHECK_INT(ostore_get(conn, NULL, 0, 0, 0, NULL), 0);
	CHECK_FAILS(ostore_wait(conn, &id, 1, 2, 0, &ready), EINVAL);
	CHECK_FAILS(ostore_hold(conn, name, &id), EINVAL);
	CHECK_FAILS(ostore_hold(conn, "x", NULL), EINVAL);
	CHECK_FAILS(ostore_unhold(conn, ""), EINVAL);
	CHECK_FAILS(ostore_lookup(conn, NULL, &object), EINVAL);
	CHECK_FAILS(ostore_seal(NULL, false), EINVAL);
	CHECK_FAILS(ostore_map(NULL), EINVAL);
	CHECK_FAILS(ostore_stat(conn, NULL, NULL), EINVAL);
	CHECK_FAILS(ostore_connect(NULL, NULL, NULL), EINVAL);
	CHECK(ostore_data(NULL) == NULL && ostore_size(NULL) == 0 && ostore_object_id(NULL) == NULL);
	CHECK(ostore_buffer(NULL) == NULL && ostore_metadata(NULL, NULL) == NULL);
	ostore_release(NULL);
	ostore_close(NULL);
	CHECK(strcmp(ostore_address(conn), getenv("OSTORE_ADDRESS")) == 0);
	ostore_close(conn);
}

/* ---- get: waiting, many, none ---- */

static void an_id_that_is_not_there_is_not_found_or_times_out(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object;
	ostore_id id = random_id();
	int64_t start = monotonic_ns();

	CHECK_FAILS(ostore_get(conn, &id, 1, 0, 0, &object), ENOENT);
	CHECK_FAILS(ostore_get(conn, &id, 1, 50 * MS, 0, &object), ETIMEDOUT);
	CHECK(monotonic_ns() - start >= 50 * MS);
	CHECK(monotonic_ns() - start < 900 * MS); /* the broker's deadline, not our grace */
	CHECK_FAILS(ostore_stat(conn, &id, &(struct ostore_stat *){ NULL }), ENOENT);
	CHECK_FAILS(ostore_lookup(conn, "no such name", &object), ENOENT);
	CHECK_FAILS(ostore_unhold(conn, "no such name"), ENOENT);
	CHECK_FAILS(ostore_hold(conn, "name", &id), ENOENT);
	CHECK_FAILS(ostore_delete(conn, &id, 1, NULL), ENOENT);
	ostore_close(conn);
}

static void a_blocked_get_is_woken_by_a_put_elsewhere(void)
{
	ostore_id id = random_id();
	struct ostore *conn;
	struct ostore_object *object;
	int go[2], status;
	char byte = 0;
	pid_t child;

	CHECK_INT(pipe(go), 0);
	child = fork_child();
	if (child == 0) {
		conn = connect_or_die();
		CHECK_INT(read(go[0], &byte, 1), 1);
		CHECK_INT(ostore_put(conn, "there", 6, OPTIONS(.id = &id, .hold = true), NULL), 0);
		_exit(0);
	}
	conn = connect_or_die();
	CHECK_FAILS(ostore_get(conn, &id, 1, 20 * MS, 0, &object), ETIMEDOUT);
	CHECK_INT(write(go[1], "g", 1), 1);
	CHECK_INT(ostore_get(conn, &id, 1, 20 * SEC, 0, &object), 0);
	CHECK(strcmp(ostore_data(object), "there") == 0);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	CHECK_INT(ostore_delete(conn, &id, 1, NULL), 0);
	ostore_release(object);
	ostore_close(conn);
}

#define MANY 5000

/* More than fit into a packet, and more mapped ones than descriptors may be in flight. */
static void many_are_got_at_once_all_or_none(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	static struct ostore_object *puts[MANY], *gots[MANY];
	static ostore_id ids[MANY];
	struct ostore_object *object;

	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(ostore_put(conn, &i, sizeof i, NULL, &puts[i]), 0);
		ids[i] = *ostore_object_id(puts[i]);
	}
	CHECK_INT(ostore_get(other, ids, MANY, 0, 0, gots), 0);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(memcmp(ostore_data(gots[i]), &i, sizeof i), 0);
		ostore_release(gots[i]);
	}
	CHECK_INT(ostore_get(other, ids, 300, 0, OSTORE_GET_MAP, gots), 0);
	for (size_t i = 0; i < 300; i++) {
		CHECK_INT(memcmp(ostore_data(gots[i]), &i, sizeof i), 0);
		ostore_release(gots[i]);
	}
	ids[MANY - 1] = random_id();
	memset(gots, 0xff, sizeof gots);
	CHECK_FAILS(ostore_get(other, ids, MANY, 0, 0, gots), ENOENT);
	for (size_t i = 0; i < MANY; i++)
		CHECK(gots[i] == NULL);
	/* some known already, one id twice */
	CHECK_INT(ostore_get(other, ids + 3, 1, 0, 0, &object), 0);
	ids[0] = ids[3];
	CHECK_INT(ostore_get(other, ids, 7, 0, 0, gots), 0);
	CHECK(ostore_data(gots[0]) == ostore_data(object));
	for (size_t i = 0; i < 7; i++)
		ostore_release(gots[i]);
	ostore_release(object);
	refs_become(conn, &ids[1], 1); /* the put's */
	for (size_t i = 0; i < MANY; i++)
		ostore_release(puts[i]);
	ostore_close(other);
	ostore_close(conn);
}

static void a_second_get_asks_nobody(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *put = put_pattern(conn, MIB, 1), *a, *b, *c;
	ostore_id id = *ostore_object_id(put);

	CHECK_INT(ostore_get(conn, &id, 1, 0, 0, &a), 0);
	CHECK_INT(ostore_get(conn, &id, 1, 0, 0, &b), 0);
	CHECK(ostore_data(a) == ostore_data(b));
	CHECK_INT(ostore_dup(b, &c), 0);
	CHECK(ostore_data(c) == ostore_data(a));
	CHECK_INT(pins_of(conn, &id), 1);
	ostore_release(a);
	ostore_release(b);
	CHECK(pattern_is(ostore_data(c), MIB, 1));
	CHECK_INT(pins_of(conn, &id), 1);
	ostore_release(c);
	CHECK_INT(pins_of(conn, &id), 0);
	CHECK(refs_of(conn, &id) >= 1);
	ostore_release(put);
	CHECK_INT(refs_of(conn, &id), 0);
	ostore_close(conn);
}

static void a_bare_reference_is_mapped_later(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *put = put_pattern(conn, 100000, 1), *got;

	CHECK_INT(ostore_get(other, ostore_object_id(put), 1, 0, OSTORE_GET_REF, &got), 0);
	CHECK(ostore_data(got) == NULL);
	CHECK_INT(ostore_size(got), 100000);
	CHECK_INT(pins_of(conn, ostore_object_id(put)), 0);
	CHECK_INT(ostore_map(got), 0);
	CHECK_INT(ostore_map(got), 0);
	CHECK(pattern_is(ostore_data(got), 100000, 1));
	CHECK_INT(pins_of(conn, ostore_object_id(put)), 1);
	ostore_release(got);
	ostore_release(put);
	ostore_close(other);
	ostore_close(conn);
}

static void references_do_not_add_up(void)
{
	static const uint64_t sizes[] = { 100, 3 * MIB }; /* a copy, a mapping */
	struct ostore *conn = connect_or_die(), *other = connect_or_die();

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (unsigned int flags = 0; flags <= OSTORE_GET_COW; flags += OSTORE_GET_COW) {
			struct ostore_object *reference = put_pattern(conn, sizes[i], i), *got;
			const ostore_id *id = ostore_object_id(reference);

			for (int round = 0; round < 20; round++) {
				CHECK_INT(ostore_get(conn, id, 1, 0, flags, &got), 0);
				CHECK(pattern_is(ostore_data(got), sizes[i], i));
				ostore_release(got);
			}
			/* any answer comes after what was given back before it */
			CHECK_INT(pins_of(conn, id), 0);
			CHECK(refs_of(other, id) >= 1);
			CHECK(refs_of(other, id) <= 2);
			ostore_release(reference);
		}
	}
	ostore_close(other);
	ostore_close(conn);
}

static void a_copy_on_write_view_is_its_own(void)
{
	static const uint64_t sizes[] = { 0, 100, 100000, 5 * MIB };
	struct ostore *conn = connect_or_die();

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct ostore_object *put = put_pattern(conn, sizes[i], i), *clean, *mine, *other, *more;
		ostore_id id = *ostore_object_id(put);
		uint64_t size = sizes[i];

		CHECK_INT(ostore_get(conn, &id, 1, 0, OSTORE_GET_COW, &mine), 0);
		CHECK_INT(ostore_get(conn, &id, 1, 0, 0, &clean), 0);
		CHECK_INT(ostore_get(conn, &id, 1, 0, OSTORE_GET_COW, &other), 0);
		CHECK_INT(ostore_dup(other, &more), 0);
		CHECK(pattern_is(ostore_data(mine), size, i));
		CHECK(ostore_buffer(mine) == ostore_data(mine));
		CHECK(ostore_buffer(more) == ostore_data(other));
		CHECK(ostore_buffer(clean) == NULL);
		CHECK((ostore_buffer(mine) == NULL) == (size == 0));
		CHECK(!ostore_is_shared_address(mine));
		CHECK_INT(ostore_is_shared_address(clean), size >= 100000);
		CHECK_INT((uintptr_t)ostore_data(mine) % OSTORE_DATA_ALIGN, 0);
		if (size > 0)
			memset(ostore_buffer(mine), 0x55, size);
		CHECK(pattern_is(ostore_data(clean), size, i));
		CHECK(pattern_is(ostore_data(other), size, i));
		ostore_release(clean);
		CHECK(pins_of(conn, &id) >= (size >= 100000));
		CHECK_INT(ostore_get(conn, &id, 1, 0, OSTORE_GET_MAP, &clean), 0);
		CHECK(pattern_is(ostore_data(clean), size, i));
		ostore_release(other);
		if (size > 0)
			CHECK_INT(((const unsigned char *)ostore_data(mine))[size - 1], 0x55);
		ostore_release(mine);
		CHECK(pattern_is(ostore_data(more), size, i));
		CHECK(pattern_is(ostore_data(clean), size, i));
		ostore_release(more);
		ostore_release(clean);
		CHECK_INT(pins_of(conn, &id), 0);
		CHECK(refs_of(conn, &id) >= 1);
		ostore_release(put);
		CHECK_INT(refs_of(conn, &id), 0);
		CHECK_FAILS(ostore_get(conn, &id, 1, 0, OSTORE_GET_COW | OSTORE_GET_REF, &mine), EINVAL);
	}
	ostore_close(conn);
}

static void wait_tells_which_are_ready(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *a = put_pattern(conn, 1, 1), *b = put_pattern(conn, 2, 1);
	ostore_id ids[3] = { *ostore_object_id(a), random_id(), *ostore_object_id(b) };
	bool ready[3];

	CHECK_INT(ostore_wait(conn, ids, 3, 2, OSTORE_FOREVER, ready), 2);
	CHECK(ready[0] && !ready[1] && ready[2]);
	CHECK_INT(ostore_wait(conn, ids, 3, 3, 30 * MS, ready), 2);
	CHECK_INT(ostore_wait(conn, ids, 3, 3, 0, ready), 2);
	CHECK_INT(ostore_wait(conn, ids + 1, 1, 1, 0, ready), 0);
	CHECK_INT(ostore_wait(conn, ids, 0, 0, 0, ready), 0);
	ostore_release(a);
	ostore_release(b);
	ostore_close(conn);
}

/* ---- what the kernel promises ---- */

static void dies_of_sigsegv(volatile unsigned char *at)
{
	pid_t child = fork_child();
	int status;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*at = 1;
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0));
}

static void a_mapped_object_cannot_be_written(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *put = put_pattern(conn, MIB, 1), *got, *clean;
	unsigned char *bytes;
	struct ostore *other = connect_or_die();

	CHECK_INT(ostore_get(conn, ostore_object_id(put), 1, 0, 0, &got), 0);
	bytes = (unsigned char *)ostore_data(got);
	dies_of_sigsegv(bytes + 100);
	/* A process may make its own view writable: then it has pages of its own,
	 * and the object has not changed. */
	if (mprotect(bytes, MIB, PROT_READ | PROT_WRITE) == 0)
		bytes[100] ^= 0xff;
	CHECK_INT(ostore_get(other, ostore_object_id(put), 1, 0, 0, &clean), 0);
	CHECK(pattern_is(ostore_data(clean), MIB, 1));
	ostore_release(clean);
	ostore_release(got);
	ostore_release(put);
	ostore_close(other);
	ostore_close(conn);
}

/* The memfd of a draft, taken from under the library, is of no use after the seal. */
static void a_sealed_memfd_refuses_writers(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *draft;
	char path[64];
	int fd = -1, writer;
	void *map;

	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	for (int i = 3; i < 200 && fd < 0; i++)
		if (fcntl(i, F_GET_SEALS) >= 0)
			fd = dup(i);
	CHECK(fd >= 0);
	CHECK_INT(ostore_seal(draft, false), 0);
	CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map == MAP_FAILED && errno == EPERM);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map == MAP_FAILED || (mprotect(map, 4096, PROT_READ | PROT_WRITE) < 0 && errno == EACCES));
	CHECK(ftruncate(fd, 0) < 0);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	(void)fchmod(fd, 0600);
	writer = open(path, O_RDWR);
	CHECK(writer < 0 || (pwrite(writer, "x", 1, 0) < 0 && errno == EPERM));
	if (writer >= 0)
		close(writer);
	close(fd);
	ostore_release(draft);
	ostore_close(conn);
}

/* A page that the kernel holds could still change: no seal, and nothing lost. */
static void a_draft_that_somebody_maps_cannot_be_sealed(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *draft;
	unsigned char *bytes;
	void *map;
	int fd = -1;

	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	for (int i = 3; i < 200 && fd < 0; i++)
		if (fcntl(i, F_GET_SEALS) >= 0)
			fd = i;
	map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int keep = 0; keep < 2; keep++) {
		CHECK_FAILS(ostore_seal(draft, keep), EBUSY);
		bytes = ostore_buffer(draft);
		CHECK(bytes != NULL);
		bytes[4097] = (unsigned char)(7 + keep);
		CHECK_INT(((unsigned char *)map)[4097], 7 + keep);
	}
	munmap(map, MIB);
	CHECK_INT(ostore_seal(draft, false), 0);
	CHECK_INT(ostore_map(draft), 0);
	CHECK_INT(((const unsigned char *)ostore_data(draft))[4097], 8);
	ostore_release(draft);
	ostore_close(conn);
}

/* The wait, and other processes, are test_share.py's. */
static void a_shared_draft_is_one_memory_and_sealed_when_all_have_left(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *draft, *joined, *again = NULL, *sealed;
	struct ostore_stat *stat = NULL;
	ostore_token token, wrong;
	ostore_id id;
	char *bytes;

	CHECK_INT(ostore_create(conn, 3 * MIB, NULL, &draft), 0);
	id = *ostore_object_id(draft);
	CHECK_INT(ostore_share(draft, &token), 0);
	wrong = token;
	wrong.bytes[0] ^= 1;
	CHECK_FAILS(ostore_join(other, &id, &wrong, &joined), ENOENT);
	CHECK_INT(ostore_join(other, &id, &token, &joined), 0);
	CHECK_INT(ostore_size(joined), 3 * MIB);
	bytes = ostore_buffer(joined);
	CHECK(bytes && bytes != ostore_buffer(draft));
	bytes[2 * MIB] = 5;
	CHECK_INT(((char *)ostore_buffer(draft))[2 * MIB], 5);
	CHECK_FAILS(ostore_seal(joined, false), EINVAL);
	CHECK_FAILS(ostore_share(joined, &wrong), EINVAL);
	CHECK_FAILS(ostore_dup(joined, &again), EINVAL);
	CHECK_FAILS(ostore_seal_shared(draft, true, -1), EINVAL);
	CHECK_FAILS(ostore_seal_shared(draft, true, 0), EBUSY);
	CHECK(strstr(ostore_strerror(conn), "mapped for writing by pid") != NULL);
	CHECK_FAILS(ostore_seal_shared(draft, false, 50000000), EBUSY);
	((char *)ostore_buffer(draft))[0] = 6;
	CHECK_INT(bytes[0], 6);
	ostore_release(joined);
	CHECK_INT(ostore_seal(draft, false), 0);
	CHECK_FAILS(ostore_share(draft, &wrong), EINVAL);
	CHECK_FAILS(ostore_join(other, &id, &token, &joined), EINVAL);
	CHECK_INT(ostore_get(other, &id, 1, 0, 0, &sealed), 0);
	CHECK_INT(((const char *)ostore_data(sealed))[0], 6);
	CHECK_INT(((const char *)ostore_data(sealed))[2 * MIB], 5);
	ostore_release(sealed);
	ostore_release(draft);

	CHECK_INT(ostore_create(conn, 100, NULL, &draft), 0);
	CHECK_INT(ostore_share(draft, &token), 0);
	id = *ostore_object_id(draft);
	CHECK_INT(ostore_join(other, &id, &token, &joined), 0);
	CHECK_INT(ostore_abort(draft), 0);
	((char *)ostore_buffer(joined))[0] = 1; /* lost, and no harm */
	CHECK_FAILS(ostore_stat(conn, &id, &stat), ENOENT); /* the abort has arrived */
	CHECK_FAILS(ostore_join(other, &id, &token, &again), ENOENT);
	CHECK_INT(ostore_abort(joined), 0);
	CHECK_FAILS(ostore_share(NULL, &token), EINVAL);
	CHECK_FAILS(ostore_join(conn, NULL, &token, &again), EINVAL);
	ostore_close(other);
	ostore_close(conn);
}

/* Both processes made their own mapping; neither inherited it. */
static void every_process_sees_one_address(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *put = put_pattern(conn, 3 * MIB, 1), *got;
	ostore_id id = *ostore_object_id(put);
	struct ostore_stat *stat;
	const void *theirs;
	int answer[2];

	CHECK_INT(pipe(answer), 0);
	if (fork_child() == 0) {
		struct ostore *own = connect_or_die();

		CHECK_INT(ostore_get(own, &id, 1, 0, 0, &got), 0);
		theirs = ostore_data(got);
		CHECK(ostore_is_shared_address(got));
		CHECK_INT(write(answer[1], &theirs, sizeof theirs), sizeof theirs);
		_exit(0);
	}
	CHECK_INT(read(answer[0], &theirs, sizeof theirs), sizeof theirs);
	CHECK_INT(ostore_map(put), 0);
	CHECK(ostore_is_shared_address(put));
	CHECK(ostore_data(put) == theirs);
	CHECK_INT(ostore_stat(conn, &id, &stat), 0);
	CHECK((uintptr_t)theirs == stat->address);
	ostore_stat_free(stat);
	wait(NULL);
	ostore_release(put);
	ostore_close(conn);
}

/* ---- names, leases, deletion ---- */

static void a_name_keeps_an_object(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object;
	ostore_id id, other;

	CHECK_INT(ostore_put(conn, "1", 1, OPTIONS(.name = "c-api name"), &object), 0);
	id = *ostore_object_id(object);
	ostore_release(object);
	ostore_close(conn);
	conn = connect_or_die();
	CHECK_INT(ostore_lookup(conn, "c-api name", &object), 0);
	CHECK_INT(memcmp(ostore_object_id(object), &id, sizeof id), 0);
	CHECK_INT(ostore_size(object), 1);
	CHECK_INT(ostore_hold(conn, "c-api second", &id), 0);
	CHECK_INT(refs_of(conn, &id), 3);
	/* a name that is taken moves */
	CHECK_INT(ostore_put(conn, "2", 1, OPTIONS(.name = "c-api name"), NULL), 0);
	CHECK_INT(refs_of(conn, &id), 2);
	ostore_release(object);
	CHECK_INT(ostore_lookup(conn, "c-api name", &object), 0);
	other = *ostore_object_id(object);
	CHECK(memcmp(&other, &id, sizeof id) != 0);
	ostore_release(object);
	CHECK_INT(ostore_unhold(conn, "c-api name"), 0);
	CHECK_INT(ostore_unhold(conn, "c-api second"), 0);
	CHECK_FAILS(ostore_lookup(conn, "c-api name", &object), ENOENT);
	CHECK_INT(ostore_put(conn, "3", 1, OPTIONS(.id = &(ostore_id){ { 1 } }, .hold = true), NULL), 0);
	CHECK_INT(refs_of(conn, &(ostore_id){ { 1 } }), 1);
	CHECK_INT(ostore_delete(conn, &(ostore_id){ { 1 } }, 1, NULL), 0);
	ostore_close(conn);
}

static void a_lease_keeps_an_object_on_its_way(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 1000, 4);
	ostore_id id = *ostore_object_id(object);
	ostore_token token, wrong;

	CHECK_INT(ostore_export(object, &token), 0);
	ostore_release(object);
	ostore_close(conn); /* the sender dies */
	conn = connect_or_die();
	for (int i = 0; i < 2; i++) {
		CHECK_INT(ostore_import(conn, &id, &token, &object), 0);
		CHECK_INT(ostore_size(object), 1000);
		CHECK_INT(ostore_map(object), 0);
		CHECK(pattern_is(ostore_data(object), 1000, 4));
		ostore_release(object);
	}
	CHECK_INT(ostore_delete(conn, &id, 1, NULL), 0);
	CHECK_FAILS(ostore_import(conn, &id, &token, &object), ENOENT);
	memset(&wrong, 1, sizeof wrong);
	id = random_id();
	CHECK_FAILS(ostore_import(conn, &id, &wrong, &object), ENOENT);
	ostore_close(conn);
}

#define N_TRAVELLERS 1000

/* Nobody waits for any of them; what was sent is good though the sender is killed. */
static void thousands_travel_without_waiting(void)
{
	struct {
		ostore_id id;
		ostore_token token;
	} *sent = mmap(NULL, N_TRAVELLERS * sizeof *sent, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct ostore *conn = connect_or_die();
	struct ostore_object *objects[N_TRAVELLERS], *object;
	ostore_token wrong;
	int status, n_tokens = 1;
	ostore_id id;
	pid_t child = fork_child();

	if (child == 0) {
		struct ostore *mine = connect_or_die();

		for (size_t i = 0; i < N_TRAVELLERS; i++) {
			object = put_pattern(mine, 100, i);
			sent[i].id = *ostore_object_id(object);
			CHECK_INT(ostore_export_begin(object, &sent[i].token), 0);
			ostore_release(object);
		}
		CHECK_INT(ostore_flush(mine), 0);
		kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	for (size_t i = 0; i < N_TRAVELLERS; i++) {
		CHECK_INT(ostore_import_begin(conn, &sent[i].id, &sent[i].token, &objects[i]), 0);
		n_tokens += i > 0 && memcmp(&sent[i].token, &sent[i - 1].token, 16) != 0;
	}
	CHECK(n_tokens >= N_TRAVELLERS / 256);
	for (size_t i = 0; i < N_TRAVELLERS; i++) {
		if (i % 3 == 0) { /* one may ask, or use it at once, or drop it at once */
			CHECK_INT(ostore_import_end(objects[i]), 0);
			CHECK_INT(ostore_size(objects[i]), 100);
		} else if (i % 3 == 1) {
			CHECK_INT(ostore_get(conn, &sent[i].id, 1, 0, 0, &object), 0);
			CHECK(pattern_is(ostore_data(object), 100, i));
			ostore_release(object);
		} else {
			CHECK_INT(ostore_map(objects[i]), 0);
			CHECK(pattern_is(ostore_data(objects[i]), 100, i));
		}
	}
	ostore_release_many(objects, N_TRAVELLERS);
	for (size_t i = 0; i < N_TRAVELLERS; i++) {
		CHECK_INT(ostore_import_begin(conn, &sent[i].id, &sent[i].token, &object), 0);
		ostore_release(object);
	}
	CHECK_INT(ostore_flush(conn), 0);
	refs_become(conn, &sent[0].id, 1); /* the lease's */
	refs_become(conn, &sent[N_TRAVELLERS - 1].id, 1);
	/* what came too late fails wherever it is used, and does not wait */
	memset(&wrong, 1, sizeof wrong);
	id = random_id();
	CHECK_INT(ostore_import_begin(conn, &id, &wrong, &object), 0);
	CHECK_FAILS(ostore_get(conn, &id, 1, OSTORE_FOREVER, 0, &objects[0]), ENOENT);
	CHECK_FAILS(ostore_map(object), ENOENT);
	CHECK_FAILS(ostore_import_end(object), ENOENT);
	CHECK_FAILS(ostore_export_begin(object, &wrong), ENOENT);
	ostore_release(object);
	CHECK_FAILS(ostore_import_begin(conn, &(ostore_id){ { 0 } }, &wrong, &object), EINVAL);
	CHECK_FAILS(ostore_export_begin(NULL, &wrong), EINVAL);
	for (size_t i = 0; i < N_TRAVELLERS; i++)
		CHECK_INT(ostore_delete(conn, &sent[i].id, 1, NULL), 0);
	munmap(sent, N_TRAVELLERS * sizeof *sent);
	ostore_close(conn);
}

static void a_deleted_object_stays_for_those_who_map_it(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *put = put_pattern(conn, MIB, 1), *got, *again;
	ostore_id ids[3] = { *ostore_object_id(put), random_id() };
	int errors[3] = { 1, 1, 1 };

	CHECK_INT(ostore_get(other, ids, 1, 0, 0, &got), 0);
	CHECK_FAILS(ostore_delete(conn, ids, 2, errors), ENOENT);
	CHECK_INT(errors[0], 0);
	CHECK_INT(errors[1], -ENOENT);
	CHECK_INT(errors[2], 1);
	CHECK_FAILS(ostore_get(conn, ids, 1, OSTORE_FOREVER, 0, &again), ENOENT);
	CHECK_FAILS(ostore_map(put), ENOENT);
	CHECK(pattern_is(ostore_data(got), MIB, 1));
	/* the id is free, and the new object is another */
	CHECK_INT(ostore_put(conn, "new", 4, OPTIONS(.id = &ids[0]), &again), 0);
	ostore_release(put);
	CHECK_INT(ostore_map(again), 0);
	CHECK(strcmp(ostore_data(again), "new") == 0);
	CHECK(pattern_is(ostore_data(got), MIB, 1));
	ostore_release(got);
	CHECK_INT(ostore_get(other, ids, 1, 0, 0, &got), 0);
	CHECK(strcmp(ostore_data(got), "new") == 0);
	CHECK_INT(refs_of(conn, ids) >= 2, 1);
	ostore_release(got);
	ostore_release(again);
	refs_become(conn, ids, 0);
	CHECK_INT(ostore_delete(conn, ids, 0, NULL), 0);
	ostore_close(other);
	ostore_close(conn);
}

/* ---- looking ---- */

static void list_and_stat_tell_everything(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object, *mapped;
	struct ostore_info *infos;
	struct ostore_stat *stat;
	ostore_id id;
	size_t n, seen = 0;
	bool by_us = false, by_name = false;

	CHECK_INT(ostore_put(conn, "abc", 3,
			  OPTIONS(.name = "c-api listed", .metadata = "meta", .metadata_size = 4, .mode = 0640),
			  &object), 0);
	id = *ostore_object_id(object);
	CHECK_INT(ostore_get(conn, &id, 1, 0, OSTORE_GET_MAP, &mapped), 0);
	CHECK_INT(ostore_list(conn, &infos, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (memcmp(&infos[i].id, &id, sizeof id) != 0)
			continue;
		seen++;
		CHECK_INT(infos[i].size, 3);
		CHECK_INT(infos[i].metadata_size, 4);
		CHECK(memcmp(infos[i].metadata, "meta", 4) == 0);
		CHECK_INT(infos[i].state, OSTORE_RESIDENT);
		CHECK_INT(infos[i].mode, 0640);
		CHECK_INT(infos[i].uid, geteuid());
		CHECK_INT(infos[i].gid, getegid());
		CHECK_INT(infos[i].pins, 1);
		CHECK(infos[i].created_ns > 0);
		CHECK(infos[i].names[0] && strcmp(infos[i].names[0], "c-api listed") == 0);
		CHECK(infos[i].names[1] == NULL);
	}
	CHECK_INT(seen, 1);
	for (size_t i = 1; i < n; i++)
		CHECK(infos[i - 1].created_ns <= infos[i].created_ns);
	ostore_list_free(infos);
	ostore_list_free(NULL);

	CHECK_INT(ostore_stat(conn, &id, &stat), 0);
	CHECK_INT(stat->info.size, 3);
	CHECK_INT(stat->deleted, 0);
	CHECK(stat->address != 0 && stat->charged_bytes >= 3);
	for (size_t i = 0; i < stat->n_holders; i++) {
		const struct ostore_holder *holder = &stat->holders[i];

		if (holder->kind == OSTORE_HOLDER_CONNECTION && holder->pid == getpid()) {
			by_us = true;
			CHECK_INT(holder->uid, geteuid());
			CHECK_INT(holder->pins, 1);
			CHECK(holder->comm && *holder->comm);
		}
		if (holder->kind == OSTORE_HOLDER_NAME)
			by_name = strcmp(holder->name, "c-api listed") == 0;
	}
	CHECK(by_us && by_name);
	ostore_stat_free(stat);
	ostore_stat_free(NULL);
	CHECK_INT(ostore_unhold(conn, "c-api listed"), 0);
	ostore_release(mapped);
	ostore_release(object);
	ostore_close(conn);
}

static void a_long_list_comes_in_pages(void)
{
	struct ostore *conn = connect_or_die();
	static struct ostore_object *objects[700];
	struct ostore_info *infos;
	size_t n, n_before;

	CHECK_INT(ostore_list(conn, &infos, &n_before), 0);
	ostore_list_free(infos);
	for (size_t i = 0; i < 700; i++)
		CHECK_INT(ostore_put(conn, &i, sizeof i, OPTIONS(.metadata = &i, .metadata_size = sizeof i),
				  &objects[i]), 0);
	CHECK_INT(ostore_list(conn, &infos, &n), 0);
	CHECK_INT(n, n_before + 700);
	for (size_t i = 0; i < 700; i++)
		CHECK_INT(memcmp(infos[n_before + i].metadata, &i, sizeof i), 0);
	ostore_list_free(infos);
	for (size_t i = 0; i < 700; i++)
		ostore_release(objects[i]);
	ostore_close(conn);
}

/* ---- attributes ---- */

#define LABELS(...) .labels = (const char *const[]){ __VA_ARGS__ }, \
	.n_labels = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)
#define CHANGES(...) (&(struct ostore_changes){ .size = sizeof(struct ostore_changes), __VA_ARGS__ })
#define FILTER(...) (&(struct ostore_filter){ .size = sizeof(struct ostore_filter), __VA_ARGS__ })

static size_t count_matching(struct ostore *conn, const struct ostore_filter *filter)
{
	struct ostore_info *infos;
	size_t n;

	CHECK_INT(ostore_list_matching(conn, filter, &infos, &n), 0);
	ostore_list_free(infos);
	return n;
}

static void check_attributes(struct ostore *conn, const ostore_id *id, const char *call_site)
{
	struct ostore_stat *stat;

	CHECK_INT(ostore_stat(conn, id, &stat), 0);
	CHECK(strcmp(stat->info.labels[0], "a=1") == 0 && strcmp(stat->info.labels[1], "c-api=") == 0);
	CHECK(stat->info.labels[2] == NULL);
	CHECK_INT(stat->info.priority, -15);
	CHECK(stat->info.pinned && stat->info.expires_ns > 0);
	CHECK(strcmp(stat->info.call_site, call_site) == 0);
	ostore_stat_free(stat);
}

static void attributes_come_with_every_way_to_create(void)
{
	struct ostore *conn = connect_or_die();
	char long_site[400];
	const struct ostore_put_options *options = OPTIONS(LABELS("c-api=", "a=1"), .priority = -15,
		.ttl = 3600 * INT64_C(1000000000), .pin = true, .call_site = long_site);
	static char big[2 << 20];
	const struct iovec pieces[] = { { (char *)"ab", 2 }, { (char *)"c", 1 } };
	const struct ostore_value values[] = { { pieces, 2, options }, { pieces, 1, options },
		{ pieces, 0, options } };
	struct ostore_object *objects[6];
	ostore_id ids[6];

	memset(long_site, 's', sizeof long_site);
	long_site[sizeof long_site - 1] = '\0';
	CHECK_INT(ostore_put(conn, "abc", 3, options, &objects[0]), 0);
	CHECK_INT(ostore_put(conn, big, sizeof big, options, &objects[1]), 0);
	CHECK_INT(ostore_create(conn, 100, options, &objects[2]), 0);
	CHECK_INT(ostore_seal(objects[2], false), 0);
	CHECK_INT(ostore_put_many(conn, values, 3, 0, objects + 3, NULL), 0);
	for (int i = 0; i < 6; i++) {
		ids[i] = *ostore_object_id(objects[i]);
		check_attributes(conn, &ids[i], long_site + sizeof long_site - 1 - 255);
	}
	CHECK_INT(count_matching(conn, FILTER(LABELS("c-api"))), 6);
	CHECK_INT(count_matching(conn, FILTER(LABELS("c-api", "a=2"))), 0);
	CHECK_INT(ostore_set(conn, &ids[0], CHANGES(LABELS("a=2"), .set_priority = true, .priority = 3,
				     .unpin = true, .set_ttl = true)), 0);
	CHECK_INT(count_matching(conn, FILTER(LABELS("c-api", "a=2"))), 1);
	ostore_release_many(objects, 6);
	CHECK_INT(ostore_delete(conn, ids, 6, NULL), 0);
	ostore_close(conn);
}

static void attributes_that_cannot_be_are_refused(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 10, 1);
	const ostore_id *id = ostore_object_id(object), none = random_id();
	struct ostore_stat *stats;
	size_t n;

	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(LABELS("no label")), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(LABELS("a=1", "a=2")), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(.n_labels = 1), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(LABELS(NULL)), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(.priority = 16), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(.ttl = -1), NULL), -EINVAL);
	CHECK_INT(ostore_put(conn, "", 0, OPTIONS(.ttl = OSTORE_FOREVER, .hold = true), NULL), 0);
	CHECK_INT(ostore_set(conn, id, NULL), -EINVAL);
	CHECK_INT(ostore_set(conn, NULL, CHANGES(.pin = true)), -EINVAL);
	CHECK_INT(ostore_set(conn, id, &(struct ostore_changes){ .pin = true }), -EINVAL);
	CHECK_INT(ostore_set(conn, id, CHANGES(.pin = true, .unpin = true)), -EINVAL);
	CHECK_INT(ostore_set(conn, id, CHANGES(.set_priority = true, .priority = -16)), -EINVAL);
	CHECK_INT(ostore_set(conn, id, CHANGES(.set_ttl = true, .ttl = -1)), -EINVAL);
	CHECK_INT(ostore_set(conn, id, CHANGES(.priority = 100, .ttl = -1)), 0); /* not to be set */
	CHECK_INT(ostore_set(conn, &none, CHANGES(.pin = true)), -ENOENT);
	CHECK_INT(ostore_memory(conn, NULL, NULL, &n), -EINVAL);
	CHECK_INT(ostore_memory(conn, &(struct ostore_filter){ .size = 0 }, &stats, &n), -EINVAL);
	ostore_release(object);
	ostore_close(conn);
}

static void an_object_goes_with_its_time(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_subscription *events;
	struct ostore_object *object, *mapped, *again;
	struct ostore_event event;
	ostore_id id;

	CHECK_INT(ostore_subscribe(conn, OSTORE_EVENTS_NEW, &events), 0);
	CHECK_INT(ostore_put(conn, "abc", 3, OPTIONS(.ttl = 50 * 1000000), &object), 0);
	id = *ostore_object_id(object);
	CHECK_INT(ostore_get(conn, &id, 1, 0, OSTORE_GET_MAP, &mapped), 0);
	do
		CHECK_INT(ostore_next_event(events, 20 * INT64_C(1000000000), &event), 0);
	while (event.type != OSTORE_EVENT_EXPIRED || memcmp(&event.id, &id, sizeof id) != 0);
	CHECK(strcmp(ostore_event_name(event.type), "expired") == 0);
	CHECK(memcmp(ostore_data(mapped), "abc", 3) == 0); /* what is mapped stays */
	ostore_release(mapped);
	ostore_release(object);
	CHECK_INT(ostore_get(conn, &id, 1, OSTORE_FOREVER, 0, &again), -ENOENT);
	CHECK(strstr(ostore_strerror(conn), "time to live"));
	ostore_unsubscribe(events);
	ostore_close(conn);
}

static void memory_tells_who_holds_what(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	static ostore_token tokens[2000];
	struct ostore_object *object, *mapped;
	struct ostore_stat *stats;
	size_t n, n_leases = 0;
	ostore_id id;

	CHECK_INT(ostore_put(conn, "abc", 3, OPTIONS(.name = "c-api memory", LABELS("memory=1")),
			  &object), 0);
	CHECK_INT(ostore_put(conn, "defg", 4, OPTIONS(.hold = true, LABELS("memory=2")), NULL), 0);
	id = *ostore_object_id(object);
	CHECK_INT(ostore_get(other, &id, 1, 0, OSTORE_GET_MAP, &mapped), 0);
	for (size_t i = 0; i < 2000; i++) /* more than one page of holders */
		CHECK_INT(ostore_export(object, &tokens[i]), 0);
	CHECK_INT(ostore_memory(conn, FILTER(LABELS("memory")), &stats, &n), 0);
	CHECK_INT(n, 2);
	CHECK_INT(stats[0].n_holders, 2003);
	CHECK_INT(stats[0].holders[0].kind, OSTORE_HOLDER_CONNECTION);
	CHECK_INT(stats[0].holders[0].pins, 0);
	CHECK_INT(stats[0].holders[1].pins, 1);
	CHECK_INT(stats[0].holders[1].pid, getpid());
	CHECK(strcmp(stats[0].holders[2].name, "c-api memory") == 0);
	for (size_t i = 3; i < stats[0].n_holders; i++)
		n_leases += stats[0].holders[i].kind == OSTORE_HOLDER_LEASE;
	CHECK_INT(n_leases, 2000);
	CHECK_INT(stats[0].info.refs, 2003);
	CHECK(stats[1].info.held && stats[1].n_holders == 0 && stats[1].info.refs == 1);
	CHECK(memcmp(&stats[0].info.id, &id, sizeof id) == 0);
	ostore_memory_free(stats);
	CHECK_INT(ostore_delete(conn, &id, 1, NULL), 0);
	CHECK_INT(ostore_memory(conn, FILTER(LABELS("memory=1")), &stats, &n), 0);
	CHECK_INT(n, 1); /* mapped, and so still in memory */
	CHECK(stats[0].deleted);
	ostore_memory_free(stats);
	ostore_release(mapped);
	ostore_release(object);
	ostore_close(other);
	CHECK_INT(count_matching(conn, FILTER(LABELS("memory"))), 1);
	CHECK_INT(ostore_memory(conn, FILTER(.pattern = "no such name"), &stats, &n), 0);
	CHECK_INT(n, 0);
	ostore_memory_free(stats);
	ostore_memory_free(NULL);
	ostore_close(conn);
}

static void stats_and_config_are_filled(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_stats *stats;
	struct ostore_setting *settings;
	struct ostore_object *draft;
	size_t n;
	bool puts = false, capacity = false, bpf = false;

	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	CHECK_INT(ostore_stats(conn, &stats), 0);
	CHECK(stats->capacity_bytes >= 64 * MIB && stats->capacity_bytes <= GIB);
	CHECK(stats->objects_created >= 1);
	CHECK(stats->clients >= 1);
	CHECK(stats->generation >= 1);
	CHECK(stats->worker_pid > 1);
	CHECK(stats->max_descriptors > stats->descriptors);
	CHECK(strlen(stats->version) > 0);
	for (size_t i = 0; i < stats->n_counters; i++)
		puts |= strcmp(stats->counters[i].name, "puts") == 0;
	for (size_t i = 0; i < stats->n_features; i++) {
		bpf |= strcmp(stats->features[i].name, "bpf") == 0;
		CHECK(stats->features[i].on == (*stats->features[i].reason == '\0'));
	}
	CHECK(puts && bpf);
	ostore_stats_free(stats);
	ostore_stats_free(NULL);
	CHECK_INT(ostore_config(conn, &settings, &n), 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(*settings[i].key && *settings[i].origin);
		capacity |= strcmp(settings[i].key, "capacity") == 0;
	}
	CHECK(capacity);
	ostore_config_free(settings);
	ostore_config_free(NULL);
	CHECK_INT(ostore_abort(draft), 0);
	ostore_close(conn);
}

/* ---- room ---- */

static void a_full_store_says_who_fills_it(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_stats *stats;
	struct ostore_object *held, *more;
	uint64_t capacity;
	int64_t start;

	CHECK_INT(ostore_stats(conn, &stats), 0);
	capacity = stats->capacity_bytes;
	ostore_stats_free(stats);
	CHECK_FAILS(ostore_create(conn, capacity + 1, NULL, &more), EFBIG);
	CHECK_INT(ostore_create(conn, capacity / 2 + MIB, OPTIONS(.timeout = 5 * SEC), &held), 0);
	start = monotonic_ns();
	CHECK_FAILS(ostore_create(conn, capacity / 2, OPTIONS(.timeout = 100 * MS), &more), ENOBUFS);
	CHECK(monotonic_ns() - start >= 100 * MS);
	CHECK_INT(ostore_seal(held, false), 0);
	ostore_release(held);
	/* nobody refers to it any more: it makes room */
	CHECK_INT(ostore_create(conn, capacity / 2, OPTIONS(.timeout = 10 * SEC), &more), 0);
	CHECK_INT(ostore_abort(more), 0);
	ostore_close(conn);
}

static void taken_ids_are_refused(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *object = put_pattern(conn, 10, 1), *draft;
	ostore_id id = *ostore_object_id(object);

	CHECK_FAILS(ostore_put(conn, "", 0, OPTIONS(.id = &id), NULL), EEXIST);
	CHECK_FAILS(ostore_put(conn, &id, sizeof id, OPTIONS(.id = &id), NULL), EEXIST);
	CHECK_FAILS(ostore_create(conn, 100000, OPTIONS(.id = &id), &draft), EEXIST);
	ostore_release(object);
	ostore_close(conn);
}

/* ---- handles outlive connections ---- */

static void a_closed_connection_leaves_its_mappings(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *small = put_pattern(conn, 100, 1), *big = put_pattern(conn, MIB, 2), *copy;
	struct ostore_object *draft;

	CHECK_INT(ostore_map(small), 0);
	CHECK_INT(ostore_map(big), 0);
	CHECK_INT(ostore_create(conn, MIB, NULL, &draft), 0);
	ostore_close(conn);
	CHECK(pattern_is(ostore_data(small), 100, 1));
	CHECK(pattern_is(ostore_data(big), MIB, 2));
	CHECK_FAILS(ostore_seal(draft, false), ECONNREFUSED);
	CHECK_INT(ostore_dup(big, &copy), 0);
	ostore_release(small);
	ostore_release(big);
	CHECK(pattern_is(ostore_data(copy), MIB, 2));
	ostore_release(draft);
	ostore_release(copy);
}

/* ---- another user; run on its own, as root, with --quota=65534:1MiB ---- */

static void as_nobody(const ostore_id *secret, const ostore_id *open_to_all)
{
	ostore_id ids[2] = { *secret, *open_to_all };
	struct ostore_object *object;
	struct ostore_info *infos;
	struct ostore *conn;
	bool ready[2];
	size_t n;

	CHECK_INT(setgroups(0, NULL), 0);
	CHECK_INT(setresgid(65534, 65534, 65534), 0);
	CHECK_INT(setresuid(65534, 65534, 65534), 0);
	conn = connect_or_die();
	CHECK_FAILS(ostore_get(conn, secret, 1, 0, 0, &object), ENOENT);
	CHECK_FAILS(ostore_get(conn, secret, 1, 20 * MS, 0, &object), ETIMEDOUT);
	CHECK_FAILS(ostore_stat(conn, secret, &(struct ostore_stat *){ NULL }), ENOENT);
	CHECK_FAILS(ostore_delete(conn, secret, 1, NULL), ENOENT);
	CHECK_FAILS(ostore_hold(conn, "mine", secret), ENOENT);
	CHECK_FAILS(ostore_lookup(conn, "roots", &object), ENOENT); /* names are per user */
	CHECK_INT(ostore_get(conn, open_to_all, 1, 0, 0, &object), 0);
	CHECK(memcmp(ostore_data(object), "all", 3) == 0);
	CHECK_INT(ostore_owner(object), 0);
	CHECK_FAILS(ostore_delete(conn, open_to_all, 1, NULL), EACCES);
	ostore_release(object);
	CHECK_INT(ostore_wait(conn, ids, 2, 1, SEC, ready), 1);
	CHECK(!ready[0] && ready[1]);
	CHECK_INT(ostore_list(conn, &infos, &n), 0);
	for (size_t i = 0; i < n; i++)
		CHECK(memcmp(&infos[i].id, secret, sizeof *secret) != 0);
	CHECK_INT(n, 1);
	ostore_list_free(infos);
	CHECK_FAILS(ostore_create(conn, 2 * MIB, NULL, &object), EDQUOT);
	ostore_close(conn);
	CHECK_INT(unsetenv("OSTORE_ADDRESS"), 0);
	CHECK_FAILS(ostore_connect(&conn, getenv("CLOSED_ADDRESS"), NULL), EACCES);
	_exit(0);
}

static void another_user_sees_what_the_mode_says(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_object *secret, *open_to_all;
	pid_t child;
	int status;

	CHECK_INT(ostore_put(conn, "root", 4, OPTIONS(.name = "roots"), &secret), 0);
	CHECK_INT(ostore_put(conn, "all", 3, OPTIONS(.mode = 0644), &open_to_all), 0);
	child = fork_child();
	if (child == 0)
		as_nobody(ostore_object_id(secret), ostore_object_id(open_to_all));
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	ostore_release(secret);
	ostore_release(open_to_all);
	ostore_close(conn);
}

/* Run on its own, with a capacity of 5 GiB. */
static void more_than_4_gib(void)
{
	static unsigned char piece[64 * MIB];
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct iovec pieces[66];
	struct ostore_object *put, *got;
	const unsigned char *bytes;
	uint64_t size = 65 * sizeof piece + 1;

	pattern_fill(piece, sizeof piece, 1);
	for (int i = 0; i < 66; i++)
		pieces[i] = (struct iovec){ piece, sizeof piece };
	pieces[65].iov_len = 1;
	CHECK_INT(ostore_putv(conn, pieces, 66, NULL, &put), 0);
	CHECK_INT(ostore_get(other, ostore_object_id(put), 1, 0, 0, &got), 0);
	CHECK_INT(ostore_size(got), size);
	bytes = ostore_data(got);
	CHECK(ostore_is_shared_address(got));
	CHECK(memcmp(bytes, piece, 1000) == 0);
	CHECK(memcmp(bytes + 64 * sizeof piece, piece, sizeof piece) == 0);
	CHECK_INT(bytes[size - 1], piece[0]);
	ostore_release(got);
	ostore_release(put);
	ostore_close(other);
	ostore_close(conn);
}

/* ---- events ---- */

static void check_event(struct ostore_subscription *events, enum ostore_event_type type,
	const ostore_id *id, struct ostore_event *event)
{
	CHECK_INT(ostore_next_event(events, SEC, event), 0);
	CHECK_INT(event->type, type);
	CHECK_INT(memcmp(&event->id, id, sizeof *id), 0);
}

static void what_happens_is_told_in_order(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_subscription *events, *again;
	struct ostore_object *object, *draft;
	struct ostore_event event;
	ostore_id put, created;
	uint64_t first, last;

	CHECK_INT(ostore_subscribe(conn, OSTORE_EVENTS_NEW, &events), 0);
	CHECK_FAILS(ostore_next_event(events, 0, &event), ETIMEDOUT);
	CHECK_FAILS(ostore_next_event(events, 20 * MS, &event), ETIMEDOUT);
	CHECK_INT(ostore_put(other, "abc", 3, OPTIONS(.mode = 0640), &object), 0);
	put = *ostore_object_id(object);
	check_event(events, OSTORE_EVENT_CREATED, &put, &event);
	first = event.seq;
	CHECK_INT(event.size, 3);
	CHECK_INT(event.mode, 0640);
	CHECK_INT(event.uid, geteuid());
	CHECK_INT(event.gid, getegid());
	CHECK(event.time_ns > 0);
	check_event(events, OSTORE_EVENT_SEALED, &put, &event);
	CHECK_INT(event.seq, first + 1);
	CHECK_INT(ostore_create(other, 10, NULL, &draft), 0);
	created = *ostore_object_id(draft);
	CHECK_INT(ostore_abort(draft), 0);
	CHECK_INT(ostore_delete(other, &put, 1, NULL), 0);
	check_event(events, OSTORE_EVENT_CREATED, &created, &event);
	check_event(events, OSTORE_EVENT_ABORTED, &created, &event);
	check_event(events, OSTORE_EVENT_DELETED, &put, &event);
	last = event.seq;
	CHECK_INT(last, first + 4);

	/* from a number on, and after the connection's end */
	CHECK_INT(ostore_subscribe(conn, last, &again), 0);
	check_event(again, OSTORE_EVENT_DELETED, &put, &event);
	CHECK_FAILS(ostore_subscribe(conn, last + 2, &again), EINVAL);
	ostore_release(object);
	ostore_unsubscribe(again);
	ostore_unsubscribe(NULL);
	ostore_close(other);
	ostore_close(conn);
	CHECK_FAILS(ostore_next_event(events, 0, &event), ECONNREFUSED);
	ostore_unsubscribe(events);
}

static void who_reads_too_late_is_told_how_much_is_lost(void)
{
	struct ostore *conn = connect_or_die();
	struct ostore_subscription *events;
	struct ostore_event event;
	uint64_t seq, lost = 0;
	int r;

	CHECK_INT(ostore_subscribe(conn, OSTORE_EVENTS_NEW, &events), 0);
	for (int i = 0; i < 500; i++) {
		struct ostore_value values[100] = { 0 };
		struct iovec piece = { &i, sizeof i };

		for (size_t k = 0; k < 100; k++)
			values[k] = (struct ostore_value){ .pieces = &piece, .n_pieces = 1 };
		CHECK_INT(ostore_put_many(conn, values, 100, 0, NULL, NULL), 0);
	}
	/* at least a creation and a sealing of each */
	CHECK_INT(ostore_next_event(events, SEC, &event), 0);
	CHECK_INT(event.type, OSTORE_EVENT_OVERRUN);
	CHECK(strcmp(ostore_event_name(event.type), "overrun") == 0);
	lost = event.lost;
	CHECK(lost >= 100000 - 65536);
	seq = event.seq + lost;
	while ((r = ostore_next_event(events, 0, &event)) == 0)
		CHECK_INT(event.seq, seq++);
	CHECK_INT(r, -ETIMEDOUT);
	CHECK(seq >= 100001);
	ostore_unsubscribe(events);
	ostore_close(conn);
}

/* ---- releases ---- */

#define N_RELEASED 300

static int n_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = 0;

	CHECK(tasks);
	for (struct dirent *entry; (entry = readdir(tasks));)
		n += entry->d_name[0] != '.';
	closedir(tasks);
	return n;
}

static void check_released_soon(struct ostore *other, const ostore_id *ids, size_t n)
{
	int64_t deadline = monotonic_ns() + 20 * SEC;

	for (size_t i = 0; i < n; i++)
		while (refs_of(other, &ids[i]) > 0)
			CHECK(monotonic_ns() < deadline);
}

static void wait_until_the_thread_is_gone(void)
{
	int64_t deadline = monotonic_ns() + 20 * SEC;

	while (n_threads() > 1)
		CHECK(monotonic_ns() < deadline);
}

static void put_tiny(struct ostore *conn, struct ostore_object **objects, ostore_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		objects[i] = put_pattern(conn, 100, i);
		ids[i] = *ostore_object_id(objects[i]);
	}
}

/* Nobody calls the library any more, and yet the broker hears of all. */
static void releases_that_follow_each_other_are_told_soon(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *objects[N_RELEASED];
	ostore_id ids[N_RELEASED];

	put_tiny(conn, objects, ids, N_RELEASED);
	for (size_t i = 0; i < N_RELEASED; i++)
		ostore_release(objects[i]);
	CHECK_INT(n_threads(), 2);
	check_released_soon(other, ids, N_RELEASED);
	wait_until_the_thread_is_gone();
	/* ... and comes again */
	put_tiny(conn, objects, ids, 10);
	for (size_t i = 0; i < 10; i++)
		ostore_release(objects[i]);
	check_released_soon(other, ids, 10);
	ostore_close(conn);
	ostore_close(other);
}

/* A release goes before the request that follows it. */
static void releases_keep_their_place(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *objects[N_RELEASED], *again;
	ostore_id ids[N_RELEASED];

	put_tiny(conn, objects, ids, N_RELEASED);
	for (size_t i = 0; i < N_RELEASED; i++) {
		ostore_release(objects[i]);
		CHECK_INT(ostore_get(conn, &ids[i], 1, 0, OSTORE_GET_REF, &again), 0);
		CHECK_INT(refs_of(conn, &ids[i]), 1);
		objects[i] = again;
		if (i % 3 == 0) {
			CHECK_INT(ostore_delete(conn, &ids[i], 1, NULL), 0);
			ostore_release(objects[i]);
			CHECK_INT(ostore_put(conn, "x", 1, OPTIONS(.id = &ids[i]), &objects[i]), 0);
		}
	}
	for (size_t i = 0; i < N_RELEASED; i++)
		CHECK_INT(refs_of(other, &ids[i]), 1);
	ostore_release_many(objects, N_RELEASED);
	check_released_soon(other, ids, N_RELEASED);
	ostore_close(conn);
	ostore_close(other);
}

static void many_are_released_at_once(void)
{
	struct ostore_options options = { .size = sizeof options, .no_service_thread = true };
	struct ostore_object *objects[N_RELEASED + 2] = { NULL };
	struct ostore *conn, *other = connect_or_die();
	ostore_id ids[N_RELEASED];

	CHECK_INT(ostore_connect(&conn, NULL, &options), 0);
	put_tiny(conn, objects, ids, N_RELEASED);
	objects[N_RELEASED + 1] = put_pattern(other, 3, 1); /* another connection's, after a NULL */
	ostore_release_many(objects, N_RELEASED + 2);
	check_released_soon(other, ids, N_RELEASED);
	ostore_release_many(NULL, 7);
	/* Without the service thread each is told at once. */
	wait_until_the_thread_is_gone();
	put_tiny(conn, objects, ids, N_RELEASED);
	for (size_t i = 0; i < N_RELEASED; i++)
		ostore_release(objects[i]);
	CHECK_INT(n_threads(), 1);
	check_released_soon(other, ids, N_RELEASED);
	ostore_close(conn);
	ostore_close(other);
}

/* What is put off is the parent's to tell; the child has references of its own. */
static void a_fork_between_releases_counts_right(void)
{
	struct ostore *conn = connect_or_die(), *other = connect_or_die();
	struct ostore_object *objects[N_RELEASED];
	ostore_id ids[N_RELEASED];
	int status;
	pid_t child;

	put_tiny(conn, objects, ids, N_RELEASED);
	for (size_t i = 0; i < N_RELEASED / 2; i++)
		ostore_release(objects[i]);
	child = fork_child();
	if (child == 0) {
		check_released_soon(conn, ids, N_RELEASED / 2);
		for (size_t i = N_RELEASED / 2; i < N_RELEASED; i++) {
			CHECK_INT(refs_of(conn, &ids[i]), 2);
			ostore_release(objects[i]);
		}
		for (size_t i = N_RELEASED / 2; i < N_RELEASED; i++)
			while (refs_of(conn, &ids[i]) > 1)
				usleep(1000);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (size_t i = N_RELEASED / 2; i < N_RELEASED; i++)
		CHECK_INT(refs_of(other, &ids[i]), 1);
	ostore_release_many(objects + N_RELEASED / 2, N_RELEASED / 2);
	check_released_soon(other, ids, N_RELEASED);
	ostore_close(conn);
	ostore_close(other);
}

static const struct test tests[] = {
#define TEST(name) { #name, name }
	TEST(ids_are_32_hex_digits),
	TEST(words_are_there),
	TEST(every_size_comes_back_exactly),
	TEST(pieces_arrive_in_order),
	TEST(many_are_put_at_once),
	TEST(one_of_many_fails_alone),
	TEST(a_draft_is_written_in_place_and_sealed),
	TEST(a_draft_of_no_bytes_has_no_buffer),
	TEST(a_kept_view_is_private),
	TEST(an_aborted_draft_never_was),
	TEST(a_sealed_memfd_is_taken_as_it_is),
	TEST(metadata_comes_along),
	TEST(bad_arguments_are_refused),
	TEST(an_id_that_is_not_there_is_not_found_or_times_out),
	TEST(a_blocked_get_is_woken_by_a_put_elsewhere),
	TEST(many_are_got_at_once_all_or_none),
	TEST(a_second_get_asks_nobody),
	TEST(a_bare_reference_is_mapped_later),
	TEST(references_do_not_add_up),
	TEST(a_copy_on_write_view_is_its_own),
	TEST(wait_tells_which_are_ready),
	TEST(a_mapped_object_cannot_be_written),
	TEST(a_sealed_memfd_refuses_writers),
	TEST(a_draft_that_somebody_maps_cannot_be_sealed),
	TEST(a_shared_draft_is_one_memory_and_sealed_when_all_have_left),
	TEST(every_process_sees_one_address),
	TEST(a_name_keeps_an_object),
	TEST(a_lease_keeps_an_object_on_its_way),
	TEST(thousands_travel_without_waiting),
	TEST(a_deleted_object_stays_for_those_who_map_it),
	TEST(list_and_stat_tell_everything),
	TEST(a_long_list_comes_in_pages),
	TEST(attributes_come_with_every_way_to_create),
	TEST(attributes_that_cannot_be_are_refused),
	TEST(an_object_goes_with_its_time),
	TEST(memory_tells_who_holds_what),
	TEST(stats_and_config_are_filled),
	TEST(a_full_store_says_who_fills_it),
	TEST(many_for_whom_there_is_no_room_are_told),
	TEST(taken_ids_are_refused),
	TEST(a_closed_connection_leaves_its_mappings),
	TEST(what_happens_is_told_in_order),
	TEST(who_reads_too_late_is_told_how_much_is_lost),
	TEST(releases_that_follow_each_other_are_told_soon),
	TEST(releases_keep_their_place),
	TEST(many_are_released_at_once),
	TEST(a_fork_between_releases_counts_right),
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "more_than_4_gib") == 0) {
		more_than_4_gib();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "another_user_sees_what_the_mode_says") == 0) {
		another_user_sees_what_the_mode_says();
		return 0;
	}
	return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
