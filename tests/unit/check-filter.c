/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter of a worker's system calls: each act in a child that has it. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ostored/filter.h"
#include "util/cleanup.h"

static struct filter filter;

/* ---- acts: 0 or negative errno ---- */

static int done(long result)
{
	return result < 0 ? -errno : 0;
}

static int read_status(void)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	int filtered = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof line, file))
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
	(void)fclose(file);
	return filtered ? 0 : -ESRCH;
}

static void *thread(void *argument)
{
	return argument;
}

static int start_thread(void)
{
	pthread_t id;
	void *result = NULL;
	int r = pthread_create(&id, NULL, thread, &result);

	if (r != 0)
		return -r;
	r = pthread_join(id, &result);
	return r != 0 ? -r : result ? 0 : -EIO;
}

static int make_object(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *map;

	if (fd < 0 || ftruncate(fd, 8192) < 0 || fallocate(fd, 0, 0, 8192) < 0 ||
		pwrite(fd, "abc", 3, 0) != 3)
		return -errno;
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || madvise(map, 8192, MADV_HUGEPAGE) < 0 || munmap(map, 8192) < 0)
		return -errno;
	return done(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
}

static int make_pair(void)
{
	int ends[2];

	return done(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
}

/* As broker/stranger.c does. */
static int make_disposable(void)
{
	long pid = syscall(SYS_clone, (unsigned long)CLONE_FILES, 0L, 0L, 0L, 0L);
	int status;

	if (pid == 0)
		_exit(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : 1);
	if (pid < 0 || waitpid((pid_t)pid, &status, __WCLONE) < 0)
		return -errno;
	return status == 0 ? 0 : -EIO;
}

static int read_limit(void)
{
	struct rlimit limit;

	return done(getrlimit(RLIMIT_NOFILE, &limit));
}

static int raise_limit(void)
{
	struct rlimit limit = { 64, 64 };

	return done(setrlimit(RLIMIT_NOFILE, &limit));
}

static int open_to_write(void)
{
	return done(open("/dev/null", O_WRONLY));
}

static int open_to_read_and_write(void)
{
	return done(openat(AT_FDCWD, "/dev/null", O_RDWR));
}

static int create_file(void)
{
	return done(open("/tmp/ostore-check-filter", O_RDONLY | O_CREAT, 0600));
}

static int create_unnamed_file(void)
{
	return done(open("/tmp", O_TMPFILE | O_RDONLY, 0600));
}

static int remove_file(void)
{
	return done(unlink("/tmp/ostore-check-filter"));
}

static int open_network(void)
{
	return done(socket(AF_INET, SOCK_STREAM, 0));
}

static int open_other_pair(void)
{
	int ends[2];

	return done(socketpair(AF_INET, SOCK_STREAM, 0, ends));
}

static int connect_elsewhere(void)
{
	return done(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int map_program(void)
{
	void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? -errno : 0;
}

static int make_program(void)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? -EIO : done(mprotect(map, 4096, PROT_READ | PROT_EXEC));
}

static int make_namespace(void)
{
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L, 0L);

	if (pid == 0)
		_exit(0);
	return done(pid);
}

static int ask_clone3(void)
{
	return done(syscall(SYS_clone3, NULL, 0));
}

static int keep_no_dump(void)
{
	return done(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int use_ioctl(void)
{
	int n;

	return done(ioctl(STDIN_FILENO, FIONREAD, &n));
}

static int use_io_uring(void)
{
	return done(syscall(SYS_io_uring_setup, 1, NULL));
}

static int call_unknown(void)
{
	return done(syscall(1000));
}

static int execute(void)
{
	char *arguments[] = { (char *)"/bin/true", NULL };

	return done(execv(arguments[0], arguments));
}

static int execute_by_descriptor(void)
{
	char *arguments[] = { (char *)"true", NULL };

	return done(syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0));
}

static int trace(void)
{
	return done(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int look_into(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return done(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int mount_something(void)
{
	return done(mount("none", "/tmp", "no such file system", 0, NULL)); /* no harm without a filter */
}

static int leave_namespace(void)
{
	return done(unshare(CLONE_NEWUSER));
}

static int load_bpf(void)
{
	return done(syscall(SYS_bpf, 0, NULL, 0));
}

static int become_another(void)
{
	return done(setresuid(1234, 1234, 1234));
}

#define KILLED (-1000)

static const struct act {
	const char *name;
	int (*act)(void);
	int result; /* or KILLED */
} acts[] = {
#define ACT(name, result) { #name, name, result }
	ACT(read_status, 0), ACT(start_thread, 0), ACT(make_object, 0), ACT(make_pair, 0),
	ACT(make_disposable, 0), ACT(read_limit, 0),

	ACT(raise_limit, -EPERM), ACT(open_to_write, -EPERM), ACT(open_to_read_and_write, -EPERM),
	ACT(create_file, -EPERM), ACT(create_unnamed_file, -EPERM), ACT(remove_file, -EPERM),
	ACT(open_network, -EPERM), ACT(open_other_pair, -EPERM), ACT(connect_elsewhere, -EPERM),
	ACT(map_program, -EPERM), ACT(make_program, -EPERM), ACT(make_namespace, -EPERM),
	ACT(ask_clone3, -ENOSYS), ACT(keep_no_dump, -EPERM), ACT(use_ioctl, -EPERM),
	ACT(use_io_uring, -EPERM), ACT(call_unknown, -EPERM),

	ACT(execute, KILLED), ACT(execute_by_descriptor, KILLED), ACT(trace, KILLED),
	ACT(look_into, KILLED), ACT(mount_something, KILLED), ACT(leave_namespace, KILLED),
	ACT(load_bpf, KILLED), ACT(become_another, KILLED),
};

/* What the act comes to in a child, with the filter or without. */
static int try(const struct act *act, bool filtered)
{
	int ends[2], result = KILLED, status, r;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (filtered && filter.n == 0) /* never do these things unfiltered */
			_exit(1);
		r = filtered ? filter_load(&filter) : 0;
		if (r == 0)
			r = act->act();
		(void)!write(ends[1], &r, sizeof r);
		_exit(0);
	}
	(void)close(ends[1]);
	if (read(ends[0], &r, sizeof r) == sizeof r)
		result = r;
	(void)close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (result == KILLED)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			"%s ends with wait status %#x", act->name, (unsigned int)status);
	return result;
}

START_TEST(a_worker_may_do_what_it_needs_and_nothing_else)
{
	const int result = try(&acts[_i], true);

	ck_assert_msg(result == acts[_i].result, "%s: %d, not %d", acts[_i].name, result,
		acts[_i].result);
}
END_TEST

/* The acts above are refused by the filter, not by something else: some succeed without. */
START_TEST(what_is_refused_works_without_the_filter)
{
	static const char *const names[] = { "raise_limit", "open_to_write", "open_to_read_and_write",
		"create_file", "remove_file", "connect_elsewhere", "map_program", "make_program",
		"keep_no_dump" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t j = 0; j < ARRAY_SIZE(acts); j++)
			if (strcmp(names[i], acts[j].name) == 0)
				ck_assert_msg(try(&acts[j], false) == 0, "%s fails", names[i]);
}
END_TEST

int main(void)
{
	struct text why = TEXT_INIT;
	int r = filter_make(&filter, &why), failed;
	SRunner *runner;
	TCase *tcase;
	Suite *suite;

	if (r == -EOPNOTSUPP || (r == 0 && filter.n == 0)) {
		fprintf(stderr, "check-filter: skipped: %s\n", why.bytes);
		return 77;
	}
	if (r < 0) {
		fprintf(stderr, "check-filter: no filter: %s\n", strerror(-r));
		return 1;
	}
	tcase = tcase_create("calls");
	tcase_set_timeout(tcase, 60);
	suite = suite_create("filter");
	tcase_add_loop_test(tcase, a_worker_may_do_what_it_needs_and_nothing_else, 0,
		ARRAY_SIZE(acts));
	tcase_add_test(tcase, what_is_refused_works_without_the_filter);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	filter_deinit(&filter);
	return failed ? 1 : 0;
}
