/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The util layer: what people type and read, and packets with descriptors. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/cpu.h"
#include "util/glob.h"
#include "util/id.h"
#include "util/log.h"
#include "util/siphash.h"
#include "util/size.h"
#include "util/socket.h"
#include "util/spin.h"
#include "util/text.h"

#ifndef SO_PASSPIDFD /* Linux 6.5; missing in Debian 12's headers */
#define SO_PASSPIDFD 76
#endif

START_TEST(ids_are_32_hex_digits)
{
	static const char *const bad[] = { "", "0", "0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcdeg",
		" 123456789abcdef0123456789abcdef", "0x23456789abcdef0123456789abcdef" };
	struct id128 id, same;
	char text[ID128_TEXT_SIZE];

	ck_assert_int_eq(id128_parse(&id, "0123456789abcdefFEDCBA9876543210"), 0);
	ck_assert_str_eq(id128_format(&id, text), "0123456789abcdeffedcba9876543210");
	ck_assert_int_eq(id128_parse(&same, text), 0);
	ck_assert(id128_equal(&id, &same));
	ck_assert(!id128_is_zero(&id));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(id128_parse(&id, bad[i]), -EINVAL);
		ck_assert(id128_equal(&id, &same)); /* untouched */
	}
	ck_assert_int_eq(id128_parse(&id, "00000000000000000000000000000000"), 0);
	ck_assert(id128_is_zero(&id));
}
END_TEST

START_TEST(sizes_are_parsed)
{
	static const struct {
		const char *text;
		uint64_t of;
		int result;
		uint64_t bytes;
	} cases[] = {
		{ "1073741824", 0, 0, 1073741824 },
		{ "0", 0, 0, 0 },
		{ "17B", 0, 0, 17 },
		{ "2GiB", 0, 0, UINT64_C(2) << 30 },
		{ "2G", 0, 0, UINT64_C(2) << 30 },
		{ "2gib", 0, 0, UINT64_C(2) << 30 },
		{ "500M", 0, 0, UINT64_C(500) << 20 },
		{ "500MB", 0, 0, 500000000 },
		{ "64k", 0, 0, 65536 },
		{ "3T", 0, 0, UINT64_C(3) << 40 },
		{ "16383P", 0, 0, UINT64_C(16383) << 50 },
		{ "1.5 GiB", 0, 0, UINT64_C(3) << 29 },
		{ "0.1KB", 0, 0, 100 },
		{ "0.0000000000000000009P", 0, 0, 0 },
		{ "30%", 1000, 0, 300 },
		{ "12.5%", 1000, 0, 125 },
		{ "33%", 10, 0, 3 },
		{ "0.5%", 1000, 0, 5 },
		{ "100%", UINT64_MAX, 0, UINT64_MAX },
		{ "50%", UINT64_MAX, 0, UINT64_MAX / 2 },
		{ "18446744073709551615", 0, 0, UINT64_MAX },
		{ "18446744073709551616", 0, -ERANGE, 0 },
		{ "16384P", 0, -ERANGE, 0 },
		{ "99999999999999999999999999999999", 0, -ERANGE, 0 },
		{ "101%", 1000, -ERANGE, 0 },
		{ "100.1%", 1000, -ERANGE, 0 },
		{ "30%", 0, -EINVAL, 0 },
		{ "1.5", 0, -EINVAL, 0 },
		{ "1.5B", 0, -EINVAL, 0 },
		{ "", 0, -EINVAL, 0 },
		{ "G", 0, -EINVAL, 0 },
		{ "-1", 0, -EINVAL, 0 },
		{ "+1", 0, -EINVAL, 0 },
		{ " 1", 0, -EINVAL, 0 },
		{ "1 ", 0, -EINVAL, 0 },
		{ "1  G", 0, -EINVAL, 0 },
		{ "1.G", 0, -EINVAL, 0 },
		{ ".5G", 0, -EINVAL, 0 },
		{ "1,5G", 0, -EINVAL, 0 },
		{ "1e3", 0, -EINVAL, 0 },
		{ "0x10", 0, -EINVAL, 0 },
		{ "1GiBs", 0, -EINVAL, 0 },
		{ "1E", 0, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t bytes = 42;
		int r = size_parse(&bytes, cases[i].text, cases[i].of);

		ck_assert_msg(r == cases[i].result, "'%s': %d", cases[i].text, r);
		ck_assert_msg(bytes == (r == 0 ? cases[i].bytes : 42), "'%s': %" PRIu64,
			cases[i].text, bytes);
	}
}
END_TEST

START_TEST(durations_are_parsed)
{
	static const struct {
		const char *text;
		int result;
		int64_t ns;
	} cases[] = {
		{ "0", 0, 0 },
		{ "0.5", 0, NS_PER_S / 2 },
		{ "600", 0, 600 * NS_PER_S },
		{ "10s", 0, 10 * NS_PER_S },
		{ "250ms", 0, 250 * NS_PER_MS },
		{ "1.5us", 0, 1500 },
		{ "7ns", 0, 7 },
		{ "5min", 0, 300 * NS_PER_S },
		{ "2 h", 0, 7200 * NS_PER_S },
		{ "9223372036854775807ns", 0, INT64_MAX },
		{ "9223372036854775808ns", -ERANGE, 0 },
		{ "9223372037", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "10S", -EINVAL, 0 },
		{ "10sec", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ns = 42;
		int r = seconds_parse(&ns, cases[i].text);

		ck_assert_msg(r == cases[i].result, "'%s': %d", cases[i].text, r);
		ck_assert_msg(ns == (r == 0 ? cases[i].ns : 42), "'%s': %" PRId64, cases[i].text,
			ns);
	}
}
END_TEST

START_TEST(sizes_are_written_for_people)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 17, "17 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ (1 << 20) - 1, "1 MiB" }, /* never 1024 KiB */
		{ UINT64_C(3) << 29, "1.5 GiB" },
		{ UINT64_C(1) << 60, "1 EiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(size_format(cases[i].bytes, text, sizeof text), cases[i].text);
	ck_assert_str_eq(size_format(1536, text, 4), "1.5");
}
END_TEST

START_TEST(text_is_cut_and_keeps_errno)
{
	struct text text = TEXT_INIT;

	errno = ENODEV;
	text_set(&text, "object %d", 7);
	text_add(&text, ": %s", "gone");
	ck_assert_str_eq(text.bytes, "object 7: gone");
	ck_assert_uint_eq(text.length, 14);
	text_set(&text, "new");
	ck_assert_str_eq(text.bytes, "new");
	for (int i = 0; i < 1000; i++)
		text_add(&text, "0123456");
	ck_assert_uint_eq(text.length, TEXT_SIZE - 1);
	ck_assert_uint_eq(strlen(text.bytes), TEXT_SIZE - 1);
	ck_assert_int_eq(errno, ENODEV);
}
END_TEST

START_TEST(text_is_not_cut_inside_a_character)
{
	static const char *const characters[] = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7" };

	for (size_t c = 0; c < ARRAY_SIZE(characters); c++) {
		for (size_t before = 0; before < 8; before++) {
			struct text text = TEXT_INIT;
			size_t size = strlen(characters[c]);

			text_set(&text, "%.*s", (int)before, "aaaaaaaa");
			for (int i = 0; i < TEXT_SIZE; i++)
				text_add(&text, "%s", characters[c]);
			ck_assert_uint_eq((text.length - before) % size, 0);
			ck_assert_uint_gt(text.length, TEXT_SIZE - 1 - size);
			ck_assert_uint_eq(strlen(text.bytes), text.length);
		}
	}
}
END_TEST

START_TEST(globs_match_as_in_a_shell)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true }, { "", "a", false }, { "a", "", false }, { "*", "", true },
		{ "*", "anything", true }, { "a*", "abc", true }, { "*c", "abc", true },
		{ "*b", "abc", false }, { "a*c*e", "abcde", true }, { "a*c*e", "abde", false },
		{ "a?c", "abc", true }, { "a?c", "ac", false }, { "?", "", false },
		{ "[abc]x", "bx", true }, { "[abc]x", "dx", false }, { "[a-c]", "b", true },
		{ "[a-c]", "-", false }, { "[ac-]", "-", true }, { "[!a-c]", "d", true },
		{ "[!a-c]", "b", false }, { "[^a]", "b", true }, { "[]]", "]", true },
		{ "[!]]", "]", false }, { "[]a]b", "ab", true }, { "[", "[", true },
		{ "[a", "[a", true }, { "[]", "[]", true }, { "x[", "x", false },
		{ "\\*", "*", true }, { "\\*", "a", false }, { "\\", "\\", true },
		{ "**a**", "bab", true }, { "*aab", "aaaab", true }, { "model/*", "model/7", true },
		{ "[\xff]", "\xff", true }, { "[a-\xff]", "\xf0", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(glob_match(cases[i].pattern, cases[i].text, NULL) == cases[i].matches,
			"%s of %s", cases[i].pattern, cases[i].text);
}
END_TEST

START_TEST(globs_cost_no_more_than_the_product_of_lengths)
{
	static char pattern[256], text[256];
	static const char *const evil[] = { "*a", "*[", "[]", "*[^a]", "[a", "?*", "*", "*\\" };

	for (size_t i = 0; i < ARRAY_SIZE(evil); i++) {
		const size_t length = strlen(evil[i]);
		size_t steps = 0;

		for (size_t k = 0; k + 1 < sizeof pattern; k++)
			pattern[k] = evil[i][k % length];
		memset(text, i == 1 ? '[' : 'a', sizeof text - 1);
		text[sizeof text - 2] = 'b';
		(void)glob_match(pattern, text, &steps);
		ck_assert_uint_le(steps, 2 * sizeof pattern * sizeof text);
	}
}
END_TEST

START_TEST(siphash_matches_its_paper)
{
	/* The first vectors of the reference implementation: key 00 01 .. 0f, input 00 01 .. */
	static const struct {
		size_t size;
		uint64_t hash;
	} cases[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },
		{ 1, UINT64_C(0x74f839c593dc67fd) },
		{ 7, UINT64_C(0xab0200f58b01d137) },
		{ 8, UINT64_C(0x93f5f5799a932462) },
		{ 15, UINT64_C(0xa129ca6149be45e5) }, /* the paper's appendix A */
		{ 16, UINT64_C(0x3f2acc7f57c29bdb) },
	};
	uint8_t key[16], input[16];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = input[i] = i;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_uint_eq(siphash(input, cases[i].size, key), cases[i].hash);
}
END_TEST

static size_t log_into(char *text, size_t room, void (*write_lines)(void))
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	write_lines();
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(ends[1]);
	n = read(ends[0], text, room - 1);
	close(ends[0]);
	close(saved);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return (size_t)n;
}

static void write_some_lines(void)
{
	errno = ENOSPC;
	log_debug("not shown");
	log_error("spill: %m");
	log_warning("client \"%s\" is gone", "evil\nostored: all is well");
	ck_assert_int_eq(errno, ENOSPC);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("shown");
	log_set_level(LOG_LEVEL_NOTICE);
}

static void write_a_long_line(void)
{
	char name[4096];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	log_error("%s", name);
}

START_TEST(log_lines_are_whole_lines)
{
	char text[8192];
	size_t n;

	log_into(text, sizeof text, write_some_lines);
	ck_assert_str_eq(text,
		"ostored: spill: No space left on device\n"
		"ostored: client \"evil?ostored: all is well\" is gone\n"
		"ostored: shown\n");
	n = log_into(text, sizeof text, write_a_long_line);
	ck_assert_uint_lt(n, 2000);
	ck_assert_int_eq(text[n - 1], '\n');
	ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
}
END_TEST

START_TEST(log_prefixes_priorities_for_the_journal_alone)
{
	char text[1024], stream[64];
	int ends[2];
	struct stat st;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fstat(ends[1], &st), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	/* The answer is kept: this is asked first, in a process of its own. */
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setenv("JOURNAL_STREAM", stream, 1) == 0 && dup2(ends[1], STDERR_FILENO) >= 0)
			log_error("bad");
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(ends[1]);
	n = read(ends[0], text, sizeof text - 1);
	close(ends[0]);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, "<3>bad\n");
}
END_TEST

START_TEST(deadlines_do_not_overflow)
{
	ck_assert_int_eq(deadline_ns(100, 50), 150);
	ck_assert_int_eq(deadline_ns(100, -1), 100);
	ck_assert_int_eq(deadline_ns(100, FOREVER_NS), FOREVER_NS);
	ck_assert_int_eq(deadline_ns(100, FOREVER_NS - 99), FOREVER_NS);
	ck_assert_int_gt(now_ns(), 0);
}
END_TEST

START_TEST(socket_paths_have_a_limit)
{
	struct sockaddr_un address;
	char path[200];

	memset(path, 'p', sizeof path);
	path[107] = '\0';
	ck_assert_int_eq(socket_address(&address, path), 0);
	ck_assert_str_eq(address.sun_path, path);
	path[107] = 'p';
	path[108] = '\0';
	ck_assert_int_eq(socket_address(&address, path), -ENAMETOOLONG);
	ck_assert_int_eq(socket_address(&address, ""), -EINVAL);
}
END_TEST

static int pair[2];

static void make_pair(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void close_fds(struct socket_packet *packet)
{
	for (size_t i = 0; i < packet->n_fds; i++)
		ck_assert_int_eq(close(packet->fds[i]), 0);
}

START_TEST(packets_carry_descriptors)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };
	int fds[SOCKET_FDS_MAX];

	ck_assert_int_eq(socket_receive(pair[1], &packet, MSG_DONTWAIT), -EAGAIN);
	for (size_t n_fds = 0; n_fds <= SOCKET_FDS_MAX; n_fds++) {
		struct stat sent, came;

		for (size_t i = 0; i < n_fds; i++)
			fds[i] = i % 2 ? STDERR_FILENO : pair[0];
		ck_assert_int_eq(socket_send(pair[0], "hello", 5, fds, n_fds, 0), 0);
		ck_assert_int_eq(socket_receive(pair[1], &packet, 0), 0);
		ck_assert_uint_eq(packet.size, 5);
		ck_assert_mem_eq(bytes, "hello", 5);
		ck_assert_uint_eq(packet.n_fds, n_fds);
		ck_assert(!packet.has_credentials);
		for (size_t i = 0; i < n_fds; i++) {
			ck_assert_int_eq(fstat(fds[i], &sent), 0);
			ck_assert_int_eq(fstat(packet.fds[i], &came), 0);
			ck_assert_uint_eq(sent.st_ino, came.st_ino);
			ck_assert_int_eq(fcntl(packet.fds[i], F_GETFD), FD_CLOEXEC);
		}
		close_fds(&packet);
	}
}
END_TEST

START_TEST(descriptors_nobody_wants_are_reported_and_get_no_number)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes };
	int before = dup(0);

	close(before);
	ck_assert_int_eq(socket_send(pair[0], "hello", 5, pair, 1, 0), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), SOCKET_E_FDS_LOST);
	ck_assert_uint_eq(packet.n_fds, 0);
	ck_assert_uint_eq(packet.size, 5);
	ck_assert_int_eq(dup(0), before); /* the lowest free number is the same */
	close(before);
}
END_TEST

START_TEST(pidfds_nobody_wants_are_closed)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true,
		.max_fds = 1 };
	int on = 1, before = dup(0);

	close(before);
	if (setsockopt(pair[1], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on) < 0)
		return; /* before Linux 6.5 */
	ck_assert_int_eq(socket_send(pair[0], "hello", 5, NULL, 0, 0), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), 0);
	ck_assert_uint_eq(packet.n_fds, 0);
	ck_assert_int_eq(dup(0), before);
	close(before);
}
END_TEST

START_TEST(too_many_descriptors_are_reported_and_bounded)
{
	char bytes[16] = "x";
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };

	for (int want_credentials = 0; want_credentials < 2; want_credentials++) {
		struct iovec iov = { .iov_base = bytes, .iov_len = 1 };
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(250 * sizeof(int))];
		} control;
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof control };

		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(250 * sizeof(int));
		memset(CMSG_DATA(&control.header), 0, 250 * sizeof(int)); /* stdin, 250 times */
		ck_assert_int_eq(sendmsg(pair[0], &message, 0), 1);
		packet.want_credentials = want_credentials;
		ck_assert_int_eq(socket_receive(pair[1], &packet, 0), SOCKET_E_FDS_LOST);
		ck_assert_uint_ge(packet.n_fds, SOCKET_FDS_MAX);
		ck_assert_uint_le(packet.n_fds, ARRAY_SIZE(packet.fds));
		close_fds(&packet);
	}
}
END_TEST

START_TEST(a_full_descriptor_table_is_reported)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };
	int fds[2] = { 0, 0 }, next = dup(0);
	struct rlimit before, limit;

	close(next);
	if (getenv("OSTORE_VALGRIND"))
		return; /* which keeps the limit of open files to itself */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next + 1;
	ck_assert_int_eq(socket_send(pair[0], "hello", 5, fds, 2, 0), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), SOCKET_E_FDS_LOST);
	ck_assert_uint_eq(packet.n_fds, 1);
	close_fds(&packet);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

START_TEST(long_packets_are_reported_with_their_descriptors)
{
	char bytes[4];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };

	ck_assert_int_eq(socket_send(pair[0], "hello", 5, pair, 1, 0), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), SOCKET_E_TRUNCATED);
	ck_assert_uint_eq(packet.n_fds, 1);
	close_fds(&packet);
}
END_TEST

START_TEST(a_closed_peer_is_reported_without_a_signal)
{
	char bytes[4];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };

	/* unread data makes the kernel say ECONNRESET instead of an end */
	ck_assert_int_eq(socket_send(pair[0], "x", 1, NULL, 0, 0), 0);
	close(pair[1]);
	ck_assert_int_eq(socket_receive(pair[0], &packet, 0), SOCKET_E_CLOSED);
	ck_assert_int_eq(socket_receive(pair[0], &packet, 0), SOCKET_E_CLOSED);
	ck_assert_int_eq(socket_send(pair[0], "x", 1, NULL, 0, 0), -EPIPE);
	pair[1] = dup(0);
}
END_TEST

START_TEST(last_words_are_received)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };

	/* unread data is what makes the kernel report the end before the packets */
	ck_assert_int_eq(socket_send(pair[0], "unread", 6, NULL, 0, 0), 0);
	ck_assert_int_eq(socket_send(pair[1], "last", 4, pair, 1, 0), 0);
	ck_assert_int_eq(socket_send(pair[1], "words", 5, NULL, 0, 0), 0);
	close(pair[1]);
	ck_assert_int_eq(socket_receive(pair[0], &packet, 0), 0);
	ck_assert_mem_eq(bytes, "last", 4);
	ck_assert_uint_eq(packet.n_fds, 1);
	close_fds(&packet);
	ck_assert_int_eq(socket_receive(pair[0], &packet, 0), 0);
	ck_assert_mem_eq(bytes, "words", 5);
	ck_assert_int_eq(socket_receive(pair[0], &packet, 0), SOCKET_E_CLOSED);
	pair[1] = dup(0);
}
END_TEST

START_TEST(an_empty_packet_keeps_its_descriptors)
{
	char bytes[4];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true };

	ck_assert_int_eq(socket_send(pair[0], "", 0, pair, 1, 0), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), SOCKET_E_CLOSED);
	ck_assert_uint_eq(packet.n_fds, 1);
	close_fds(&packet);
}
END_TEST

START_TEST(credentials_come_from_the_kernel)
{
	char bytes[16];
	struct socket_packet packet = { .bytes = bytes, .room = sizeof bytes, .want_fds = true,
		.want_credentials = true };
	int on = 1, fds[SOCKET_FDS_MAX] = { 0 };

	ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	ck_assert_int_eq(socket_send(pair[0], "hello", 5, fds, SOCKET_FDS_MAX, 0), 0);
	ck_assert_int_eq(socket_receive(pair[1], &packet, 0), 0);
	ck_assert(packet.has_credentials);
	ck_assert_int_eq(packet.credentials.pid, getpid());
	ck_assert_uint_eq(packet.credentials.uid, getuid());
	ck_assert_uint_eq(packet.n_fds, SOCKET_FDS_MAX);
	close_fds(&packet);
}
END_TEST

/* ---- the machine ---- */

static void write_file(const char *root, const char *path, const char *text)
{
	char name[256];
	FILE *file;

	snprintf(name, sizeof name, "%s/%s", root, path);
	for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		ck_assert(mkdir(name, 0700) == 0 || errno == EEXIST);
	}
	file = fopen(name, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(cpu_quotas_of_all_groups_count)
{
	char root[] = "/tmp/check-util.XXXXXX", command[64];

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_uint_eq(cpu_quota(root), UINT_MAX);
	write_file(root, "proc/self/cgroup", "3:cpuset,memory:/x\n0::/a/b\n");
	ck_assert_uint_eq(cpu_quota(root), UINT_MAX);
	write_file(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	ck_assert_uint_eq(cpu_quota(root), UINT_MAX);
	write_file(root, "sys/fs/cgroup/a/cpu.max", "250000 100000\n"); /* of the parent */
	ck_assert_uint_eq(cpu_quota(root), 3);
	write_file(root, "sys/fs/cgroup/a/b/cpu.max", "20000 100000\n");
	ck_assert_uint_eq(cpu_quota(root), 1);
	write_file(root, "proc/self/cgroup", "4:cpuset:/a\n7:cpu,cpuacct:/only/seen/outside\n");
	write_file(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
	write_file(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	ck_assert_uint_eq(cpu_quota(root), UINT_MAX);
	write_file(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
	ck_assert_uint_eq(cpu_quota(root), 4);
	ck_assert_uint_ge(cpu_count(), 1);
	snprintf(command, sizeof command, "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

/* One wait for somebody who takes this long, on a CPU of his own or on ours; to be woken takes
 * 40 us.  Return: how long it took. */
static int64_t spin_once(struct spin *spin, int64_t needs, bool same_cpu)
{
	const int64_t spun = spin_begin(spin);
	const bool hit = !same_cpu && needs <= spun;
	const int64_t waited = hit ? needs : (same_cpu ? spun + needs : MAX(needs, spun)) + 40 * NS_PER_US;

	if (spun > 50 * NS_PER_US)
		ck_abort_msg("a spin of %lld ns", (long long)spun);
	spin_end(spin, spun, hit, waited);
	return waited;
}

/* How much longer than they need many waits take. */
static int64_t spin_often(struct spin *spin, int64_t needs, bool same_cpu)
{
	int64_t waited = 0;

	for (int i = 0; i < 10000; i++)
		waited += spin_once(spin, needs, same_cpu);
	return waited / 10000 - needs;
}

START_TEST(spinning_is_learned)
{
	struct spin spin = { .ns = 0 };

	/* whatever it takes, up to the longest spin */
	for (int64_t needs = 1; needs <= 50; needs += 7)
		ck_assert_int_lt(spin_often(&spin, needs * NS_PER_US, false), NS_PER_US);
	/* what takes long is not spun for, but for the first few times */
	for (int i = 0; i < 4; i++)
		(void)spin_once(&spin, NS_PER_MS, false);
	ck_assert_int_eq(spin_begin(&spin), 0);
	spin_end(&spin, 0, false, INT64_MAX);
	ck_assert_int_eq(spin_often(&spin, NS_PER_MS, false), 40 * NS_PER_US);
	ck_assert_int_eq(spin_begin(&spin), 0);
	/* nor is who needs our CPU kept from it */
	ck_assert_int_lt(spin_often(&spin, 5 * NS_PER_US, true), 41 * NS_PER_US);
	/* and when he has moved to another, spinning comes back */
	(void)spin_often(&spin, 5 * NS_PER_US, false);
	ck_assert_int_lt(spin_often(&spin, 5 * NS_PER_US, false), NS_PER_US);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("util");
	TCase *words = tcase_create("words");
	TCase *packets = tcase_create("packets");
	SRunner *runner;
	int failed;

	tcase_add_test(words, ids_are_32_hex_digits);
	tcase_add_test(words, sizes_are_parsed);
	tcase_add_test(words, durations_are_parsed);
	tcase_add_test(words, sizes_are_written_for_people);
	tcase_add_test(words, text_is_cut_and_keeps_errno);
	tcase_add_test(words, text_is_not_cut_inside_a_character);
	tcase_add_test(words, siphash_matches_its_paper);
	tcase_add_test(words, globs_match_as_in_a_shell);
	tcase_add_test(words, globs_cost_no_more_than_the_product_of_lengths);
	tcase_add_test(words, log_prefixes_priorities_for_the_journal_alone);
	tcase_add_test(words, log_lines_are_whole_lines);
	tcase_add_test(words, deadlines_do_not_overflow);
	tcase_add_test(words, cpu_quotas_of_all_groups_count);
	tcase_add_test(words, spinning_is_learned);
	suite_add_tcase(suite, words);
	tcase_add_checked_fixture(packets, make_pair, close_pair);
	tcase_add_test(packets, socket_paths_have_a_limit);
	tcase_add_test(packets, packets_carry_descriptors);
	tcase_add_test(packets, descriptors_nobody_wants_are_reported_and_get_no_number);
	tcase_add_test(packets, pidfds_nobody_wants_are_closed);
	tcase_add_test(packets, too_many_descriptors_are_reported_and_bounded);
	tcase_add_test(packets, a_full_descriptor_table_is_reported);
	tcase_add_test(packets, long_packets_are_reported_with_their_descriptors);
	tcase_add_test(packets, a_closed_peer_is_reported_without_a_signal);
	tcase_add_test(packets, last_words_are_received);
	tcase_add_test(packets, an_empty_packet_keeps_its_descriptors);
	tcase_add_test(packets, credentials_come_from_the_kernel);
	suite_add_tcase(suite, packets);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
