/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "broker/features.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory/memfd.h"
#include "util/cleanup.h"

#ifndef USERFAULTFD_IOC_NEW /* Linux 6.1 */
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_USER_MODE_ONLY /* Linux 5.11 */
#define UFFD_USER_MODE_ONLY 1
#endif

static void set(struct wire_field *field, const char *key, bool on, const char *reason)
{
	*field = (struct wire_field){
		.key = key,
		.value = on ? "on" : "off",
		.origin = reason,
		.number = on,
	};
}

/* ---- bpf: access counts ---- */

/* The smallest tracing program: return 0. */
static int load_nothing(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attributes.insn_cnt = ARRAY_SIZE(program);
	attributes.insns = (uint64_t)(uintptr_t)program;
	attributes.license = (uint64_t)(uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static void probe_bpf(struct wire_field *field)
{
	CLEANUP_CLOSE int fd = load_nothing();
	const char *reason = "accesses are counted in the kernel";

	if (fd < 0 && errno == ENOSYS)
		reason = "this kernel has no bpf(2)";
	else if (fd < 0)
		reason = "loading programs needs CAP_BPF and CAP_PERFMON";
	else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		reason = "this kernel does not describe its types (no /sys/kernel/btf/vmlinux)";
	else {
		set(field, "feature.bpf", true, reason);
		return;
	}
	set(field, "feature.bpf", false, reason);
}

/* ---- userfaultfd: objects that arrive page by page ---- */

/* Does it serve minor faults of shared memory?  They are all that we need (Linux 5.14). */
static bool serves_shmem(int fd)
{
	struct uffdio_api api = { .api = UFFD_API };

	return ioctl(fd, UFFDIO_API, &api) == 0 &&
		(api.features & UFFD_FEATURE_MINOR_SHMEM) != 0;
}

static int open_kernel_faults(void)
{
	CLEANUP_CLOSE int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (device >= 0)
		return ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
}

static void probe_userfaultfd(struct wire_field *any, struct wire_field *kernel)
{
	static const char any_key[] = "feature.userfaultfd", kernel_key[] = "feature.kernel_faults";
	CLEANUP_CLOSE int fd = open_kernel_faults();
	CLEANUP_CLOSE int user = -1;

	if (fd >= 0 && serves_shmem(fd)) {
		set(any, any_key, true, "objects can be restored page by page");
		set(kernel, kernel_key, true, "system calls wait for missing pages too");
		return;
	}
	set(kernel, kernel_key, false,
		"needs /dev/userfaultfd, CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd=1");
	user = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (user >= 0 && serves_shmem(user))
		set(any, any_key, true, "objects can be restored page by page");
	else if (user >= 0 || fd >= 0)
		set(any, any_key, false, "this kernel serves no minor faults of shared memory");
	else
		set(any, any_key, false,
			errno == ENOSYS ? "this kernel has no userfaultfd(2)"
					: "userfaultfd(2) is refused, by a seccomp filter perhaps");
}

/* ---- io_uring: reads and writes of the spill files ---- */

static void probe_io_uring(struct wire_field *field)
{
	struct io_uring_params parameters;
	CLEANUP_CLOSE int fd = -1;

	memset(&parameters, 0, sizeof parameters);
	fd = (int)syscall(SYS_io_uring_setup, 1, &parameters);
	if (fd >= 0)
		set(field, "feature.io_uring", true, "reads and writes go on in parallel");
	else if (errno == ENOSYS)
		set(field, "feature.io_uring", false, "this kernel has no io_uring");
	else if (errno == EPERM)
		set(field, "feature.io_uring", false,
			"refused: kernel.io_uring_disabled, or a seccomp filter");
	else
		set(field, "feature.io_uring", false, "not enough memory that may be locked");
}

static void probe_huge_pages(struct wire_field *field, bool wanted)
{
	const char *reason;
	bool allowed = memfd_huge_pages(&reason);

	if (!wanted)
		reason = "the configuration says huge_pages=no";
	set(field, "feature.huge_pages", allowed && wanted, reason);
}

void features_probe(struct wire_field fields[N_FEATURES], bool huge_pages)
{
	probe_bpf(&fields[0]);
	probe_huge_pages(&fields[1], huge_pages);
	probe_io_uring(&fields[2]);
	probe_userfaultfd(&fields[4], &fields[3]);
}
