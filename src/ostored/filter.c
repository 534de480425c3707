/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is allowed is what the worker does, each call for a reason.  Calls that it makes
 * for every request are allowed whatever their arguments: the kernel (5.11) remembers
 * those, and asks the program about the others only.
 *
 * What is not listed fails with EPERM, as in a container: libraries ask for things
 * that they can do without.  What can only be an attack kills the worker (an heir
 * takes over, and the log says so).  clone3() fails with ENOSYS, because its flags lie
 * in memory, where a filter cannot look; the C library then uses clone().
 *
 * Later: io_uring_enter() and io_uring_register() belong to allow_memory(), ioctl() with
 * the requests UFFDIO_* to allow_memory() too, and socket(), connect() and bind() for
 * AF_INET to allow_sockets(), where a broker serves other nodes.
 */
#include "ostored/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "util/cleanup.h"

#ifdef OSTORE_SANITIZERS
#define IS_SANITIZED true
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define NEW_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
		CLONE_NEWNET)
#define WAYS_TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* ---- what is allowed ---- */

/* By itself, or by the C library on its behalf. */
static const int always[] = {
	/* descriptors */
	SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(eventfd2),
	SCMP_SYS(signalfd4), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pipe2),
	/* bytes */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	/* objects */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore),
	/* clients */
	SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(shutdown), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
	/* /proc: who they are; where a descriptor leads */
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	/* threads */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(setpriority),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(gettid),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	/* signals, and their end: abort() raises one */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(pause), SCMP_SYS(tgkill),
	/* time, where the kernel does not tell it without a call */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(umask), SCMP_SYS(getrlimit),
};

/* Nothing that the worker could ever ask for: whoever does has taken it over. */
static const int deadly[] = {
	/* another program */
	SCMP_SYS(execve), SCMP_SYS(execveat),
	/* another process */
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	/* another machine */
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(open_tree),
	SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(reboot), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
	/* the kernel */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(personality),
	/* another user */
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
	SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(capset),
};

#define RULE(...) seccomp_rule_add(__VA_ARGS__)
/* These bits of the argument are all clear. */
#define CLEAR(argument, bits) SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, (uint64_t)(bits), 0)
#define EQUAL(argument, value) SCMP_CMP64(argument, SCMP_CMP_EQ, (uint64_t)(value))

/* Files are read: of /proc, and of the memory cgroups. */
static int allow_files(scmp_filter_ctx context)
{
	int r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, CLEAR(1, WAYS_TO_WRITE));

	if (r == 0)
		r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, CLEAR(2, WAYS_TO_WRITE));
	return r;
}

/* Nothing in memory becomes a program. */
static int allow_memory(scmp_filter_ctx context)
{
	int r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, CLEAR(2, PROT_EXEC));

	if (r == 0)
		r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, CLEAR(2, PROT_EXEC));
	return r;
}

/* A client's service socket. */
static int allow_sockets(scmp_filter_ctx context)
{
	return RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, EQUAL(0, AF_UNIX));
}

static int allow_processes(scmp_filter_ctx context)
{
	static const int options[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_SET_VMA };
	int r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, CLEAR(0, NEW_NAMESPACES));

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(options); i++)
		r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, EQUAL(0, options[i]));
	/* its own limits are read */
	if (r == 0)
		r = RULE(context, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, EQUAL(0, 0), EQUAL(2, 0));
	if (r == 0)
		r = RULE(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

/* A name that this machine's architecture does not have is no rule (-EDOM). */
static int add_all(scmp_filter_ctx context, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const int r = RULE(context, action, calls[i], 0);

		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

static int fill(scmp_filter_ctx context)
{
	int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0)
		r = add_all(context, SCMP_ACT_ALLOW, always, ARRAY_SIZE(always));
	if (r == 0)
		r = add_all(context, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
	if (r == 0)
		r = allow_files(context);
	if (r == 0)
		r = allow_memory(context);
	if (r == 0)
		r = allow_sockets(context);
	if (r == 0)
		r = allow_processes(context);
	return r;
}

/* ---- the program ---- */

/* libseccomp writes it to a descriptor only. */
static int export(scmp_filter_ctx context, struct filter *filter)
{
	CLEANUP_CLOSE int fd = memfd_create("ostored-filter", MFD_CLOEXEC);
	off_t size;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(context, fd);
	if (r < 0)
		return r;
	size = lseek(fd, 0, SEEK_END);
	filter->instructions = size > 0 ? malloc((size_t)size) : NULL;
	if (!filter->instructions)
		return -ENOMEM;
	filter->n = (size_t)size / sizeof *filter->instructions;
	return pread(fd, filter->instructions, (size_t)size, 0) == size ? 0 : -EIO;
}

int filter_make(struct filter *filter, struct text *why)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	scmp_filter_ctx context;
	int r;

	*filter = FILTER_NULL;
	if (IS_SANITIZED) {
		text_set(why, "sanitizers, with which this program was built, ask for more");
		return 0;
	}
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		text_set(why, "the kernel does not offer it: %s", strerror(errno));
		return -EOPNOTSUPP;
	}
	context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!context)
		return -ENOMEM;
	r = fill(context);
	if (r == 0)
		r = export(context, filter);
	seccomp_release(context);
	if (r < 0)
		filter_deinit(filter);
	return r;
}

void filter_deinit(struct filter *filter)
{
	free(filter->instructions);
	*filter = FILTER_NULL;
}

int filter_load(const struct filter *filter)
{
	const struct sock_fprog program = { .len = (unsigned short)filter->n,
		.filter = filter->instructions };

	if (!filter->instructions)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Without SPEC_ALLOW kernels before 5.16 make each branch of the worker slow. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program) < 0)
		return -errno;
	return 0;
}
