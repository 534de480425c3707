/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes of kernel interfaces: see doctor.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "util/cleanup.h"

/* Younger than the headers of Debian 12. */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

#define CAPABILITY_SYS_ADMIN 21
#define CAPABILITY_PERFMON   38
#define CAPABILITY_BPF       39

bool read_line(const char *path, char *line, size_t line_size)
{
	FILE *file = fopen(path, "re");
	bool there = file && fgets(line, line_size, file);

	if (file)
		fclose(file);
	if (!there)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

bool probe_kernel(struct text *found)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) {
		text_set(found, "cannot tell the version");
		return false;
	}
	text_set(found, "%s", name.release);
	return major > 6 || (major == 6 && minor >= 1);
}

/* ---- sockets ---- */

static int send_descriptor(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Return: the descriptor or a negative errno. */
static int receive_descriptor(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof control };
	struct cmsghdr *header;
	int fd;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -ENODATA;
	memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

/* A security module or a sandbox may refuse to let a memfd through a socket. */
bool probe_sockets(struct text *found)
{
	CLEANUP_CLOSE int memfd = memfd_create("osctl-doctor", MFD_CLOEXEC);
	CLEANUP_CLOSE int received = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		text_set(found, "AF_UNIX SOCK_SEQPACKET: %s", strerror(errno));
		return false;
	}
	r = memfd < 0 ? -EBADF : send_descriptor(pair[0], memfd);
	if (r == 0)
		r = received = receive_descriptor(pair[1]);
	(void)close(pair[0]);
	(void)close(pair[1]);
	if (r < 0)
		text_set(found, "a memfd does not pass through a socket: %s", strerror(-r));
	else
		text_set(found, "a memfd passes through a socket");
	return r >= 0;
}

/* ---- userfaultfd ---- */

/* userfaultfd_open() - a userfaultfd on which the API was agreed
 * @kernel: it must serve faults of the kernel too
 * @features: asked for; *featuresp: NULL, or out: what the kernel has
 * Return: the descriptor or a negative errno. */
static int userfaultfd_open(bool kernel, uint64_t features, uint64_t *featuresp)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int flags = O_CLOEXEC | O_NONBLOCK;
	CLEANUP_CLOSE int device = -1;
	CLEANUP_CLOSE int fd = syscall(SYS_userfaultfd, flags | (kernel ? 0 : UFFD_USER_MODE_ONLY));

	if (fd < 0) {
		int error = errno;

		device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
		if (device < 0)
			return -error;
		fd = ioctl(device, USERFAULTFD_IOC_NEW, flags);
		if (fd < 0)
			return -errno;
	}
	if (ioctl(fd, UFFDIO_API, &api) < 0)
		return -errno;
	if (featuresp)
		*featuresp = api.features;
	return TAKE_FD(fd);
}

/* Register a private mapping of a soft-sealed memfd, as an object on its way back from disk is.
 * 0 or negative errno. */
static int register_object(int userfaultfd)
{
	CLEANUP_CLOSE int memfd = memfd_create("osctl-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t size = sysconf(_SC_PAGESIZE);
	struct uffdio_register range = {
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	};
	void *view;
	int r;

	if (memfd < 0 || ftruncate(memfd, size) < 0 ||
		fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) < 0)
		return -errno;
	view = mmap(NULL, size, PROT_NONE, MAP_PRIVATE, memfd, 0);
	if (view == MAP_FAILED)
		return -errno;
	range.range.start = (uintptr_t)view;
	range.range.len = size;
	r = ioctl(userfaultfd, UFFDIO_REGISTER, &range) < 0 ? -errno : 0;
	munmap(view, size);
	return r;
}

bool probe_userfaultfd(struct text *found)
{
	CLEANUP_CLOSE int fd = userfaultfd_open(false,
		UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM, NULL);
	int r = fd < 0 ? fd : register_object(fd);

	if (r < 0)
		text_set(found, "%s: %s", fd < 0 ? "userfaultfd(2)" : "UFFDIO_REGISTER of a memfd",
			strerror(-r));
	else
		text_set(found, "works on sealed memfds");
	return r == 0;
}

bool probe_kernel_faults(struct text *found)
{
	CLEANUP_CLOSE int fd = userfaultfd_open(true, 0, NULL);
	char sysctl[16] = "?";

	if (fd >= 0) {
		text_set(found, access("/dev/userfaultfd", R_OK | W_OK) == 0 ?
				"/dev/userfaultfd can be opened" : "userfaultfd(2) allows it");
		return true;
	}
	(void)read_line("/proc/sys/vm/unprivileged_userfaultfd", sysctl, sizeof sysctl);
	text_set(found, "vm.unprivileged_userfaultfd is %s, and /dev/userfaultfd is %s", sysctl,
		access("/dev/userfaultfd", F_OK) == 0 ? "closed to this user" : "not there");
	return false;
}

bool probe_fork_events(struct text *found)
{
	CLEANUP_CLOSE int fd = userfaultfd_open(false,
		UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP, NULL);

	if (fd < 0)
		text_set(found, "%s", fd == -EPERM ? "no CAP_SYS_PTRACE" : strerror(-fd));
	else
		text_set(found, "userfaultfd tells of forks");
	return fd >= 0;
}

bool probe_poison(struct text *found)
{
	uint64_t features = 0;
	CLEANUP_CLOSE int fd = userfaultfd_open(false, 0, &features);

	if (fd < 0)
		text_set(found, "no userfaultfd");
	else
		text_set(found, "UFFDIO_POISON is %sthere", features & UFFD_FEATURE_POISON ? "" : "not ");
	return fd >= 0 && (features & UFFD_FEATURE_POISON);
}

/* ---- others ---- */

/* A write lease on a reopened memfd tells whether anybody else has it. */
bool probe_leases(struct text *found)
{
	CLEANUP_CLOSE int memfd = memfd_create("osctl-doctor", MFD_CLOEXEC);
	CLEANUP_CLOSE int reopened = -1;
	char path[32];
	bool works;

	snprintf(path, sizeof path, "/proc/self/fd/%d", memfd);
	reopened = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	(void)close(TAKE_FD(memfd));
	works = reopened >= 0 && fcntl(reopened, F_SETLEASE, F_WRLCK) == 0;
	text_set(found, "F_SETLEASE on a memfd: %s", works ? "works" : strerror(errno));
	return works;
}

static bool has_capability(int capability)
{
	static const char key[] = "CapEff:";
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, key, sizeof key - 1) == 0)
			effective = strtoull(line + sizeof key - 1, NULL, 16);
	if (file)
		fclose(file);
	return effective >> capability & 1;
}

/* Does the kernel's type information know the tracepoint that counts page faults? */
static bool btf_has_page_faults(void)
{
	static const char wanted[] = "btf_trace_page_fault_user";
	CLEANUP_CLOSE int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char *bytes = NULL;
	size_t size = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !(bytes = malloc(st.st_size)))
		return false;
	while (size < (size_t)st.st_size && (n = read(fd, bytes + size, st.st_size - size)) > 0)
		size += n;
	return memmem(bytes, size, wanted, sizeof wanted);
}

bool probe_bpf(struct text *found)
{
	bool btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	bool tracepoint = btf && btf_has_page_faults();
	bool allowed = has_capability(CAPABILITY_SYS_ADMIN) ||
		(has_capability(CAPABILITY_BPF) && has_capability(CAPABILITY_PERFMON));

	if (!btf)
		text_set(found, "no /sys/kernel/btf/vmlinux");
	else if (!tracepoint)
		text_set(found, "no tracepoint page_fault_user");
	else if (!allowed)
		text_set(found, "no CAP_BPF and CAP_PERFMON");
	else
		text_set(found, "type information, tracepoint and capabilities are there");
	return tracepoint && allowed;
}

bool probe_io_uring(struct text *found)
{
	struct io_uring_params params = { 0 };
	CLEANUP_CLOSE int fd = syscall(SYS_io_uring_setup, 1, &params);
	char sysctl[16];

	if (fd >= 0)
		text_set(found, "io_uring_setup(2) works");
	else if (errno == EPERM && read_line("/proc/sys/kernel/io_uring_disabled", sysctl, sizeof sysctl))
		text_set(found, "kernel.io_uring_disabled is %s", sysctl);
	else
		text_set(found, "io_uring_setup(2): %s", strerror(errno));
	return fd >= 0;
}
