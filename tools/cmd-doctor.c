/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl doctor`: what this machine allows the caller, what each lack costs,
 * and how to mend it.
 *
 * Its exit status speaks of the essentials alone; whether a broker runs is
 * told, but nothing is wrong when none does.  The one command that fails with a
 * report on standard output: the report is what it is for.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "fields.h"
#include "report.h"
#include "util/cleanup.h"

struct check {
	const char *name;
	bool essential;
	bool (*probe)(struct text *found);
	const char *cost, *mend; /* when it is not there */
};

static const struct check checks[] = {
	{ "kernel", true, probe_kernel,
	  "ostore needs Linux 6.1 or later",
	  "boot a newer kernel (Debian 12 has 6.1)" },
	{ "seals", true, probe_seals,
	  "objects cannot be made immutable, so nothing can be shared",
	  "allow memfd_create(2) and F_ADD_SEALS in the sandbox that this runs in" },
	{ "sockets", true, probe_sockets,
	  "clients cannot be given objects",
	  "allow AF_UNIX sockets, and descriptors through them, in the sandbox or security module" },
	{ "arena", false, probe_arena,
	  "objects lie at another address in each process",
	  "run without what took the address (MemorySanitizer), or raise RLIMIT_AS" },
	{ "huge_pages", false, probe_huge_pages,
	  "filling a new object of 512 MiB runs at 0.2-0.7 instead of 5 GiB/s, freeing takes 100 ms instead of 2",
	  "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled" },
	{ "memory", false, probe_memory,
	  "the default capacity holds next to nothing",
	  "free memory, raise the cgroup's limit, or give the broker a capacity" },
	{ "descriptors", false, probe_descriptors,
	  "each object in memory of its own takes a descriptor of the broker: fewer objects fit",
	  "LimitNOFILE=65536 in the unit, or 'ulimit -Hn 65536' before the broker starts" },
	{ "mappings", false, probe_mappings,
	  "a process can map fewer objects at the same time",
	  "sysctl vm.max_map_count=65530" },
	{ "pressure", false, probe_pressure,
	  "the broker does not notice when the machine runs short of memory",
	  "boot with psi=1, and let the broker's user open /proc/pressure/memory" },
	{ "disk", false, probe_disk,
	  "too little room for the state directory, and for objects on disk",
	  "free 1 GiB there, or set state_directory and spill in ostored.conf" },
	{ "userfaultfd", false, probe_userfaultfd,
	  "objects come back from disk whole instead of page by page",
	  "allow userfaultfd(2) in the container's seccomp profile, or pass /dev/userfaultfd in" },
	{ "kernel_faults", false, probe_kernel_faults,
	  "write(2) from an object that is on its way back from disk fails with EFAULT",
	  "run a system broker with lend_userfaultfd, or chgrp and chmod /dev/userfaultfd" },
	{ "fork_events", false, probe_fork_events,
	  "a process is held up in fork() until the objects that it maps are back from disk",
	  "run a system broker, which keeps CAP_SYS_PTRACE" },
	{ "poison", false, probe_poison,
	  "readers of an object that is lost need a slower way to get their SIGBUS",
	  "boot Linux 6.6 or later" },
	{ "leases", false, probe_leases,
	  "objects in use cannot be moved to disk",
	  "allow fcntl(F_SETLEASE) and /proc/self/fd in the sandbox" },
	{ "bpf", false, probe_bpf,
	  "eviction knows of gets and releases, but not of what is really read",
	  "run a system broker with CAP_BPF and CAP_PERFMON, on a kernel with CONFIG_DEBUG_INFO_BTF" },
	{ "io_uring", false, probe_io_uring,
	  "reading and writing spilled objects is slower",
	  "sysctl kernel.io_uring_disabled=0, or allow io_uring_setup(2) in the seccomp profile" },
};

static enum writer_tone tone_of(const struct check *check, bool present)
{
	if (present)
		return TONE_GOOD;
	return check->essential ? TONE_BAD : TONE_WEAK;
}

/* Return: is it there? */
static bool write_check(struct writer *writer, const struct check *check)
{
	struct text found = TEXT_INIT;
	bool present = check->probe(&found);

	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_string(writer, "name", check->name);
	writer_bool(writer, "present", present);
	writer_tone(writer, tone_of(check, present));
	writer_bool(writer, "essential", check->essential);
	writer_string(writer, "found", found.bytes);
	writer_below(writer, "cost", present ? "" : check->cost);
	writer_below(writer, "mend", present ? "" : check->mend);
	writer_end(writer);
	return present;
}

static void write_no_broker(struct writer *writer, const char *reason)
{
	writer_start_object(writer, "broker", WRITER_PLAIN);
	writer_bool(writer, "running", false);
	writer_string(writer, "reason", reason);
	writer_end(writer);
}

/* The features of *statsp live until the writer is done. */
static void write_broker(struct writer *writer, struct invocation *inv, struct ostore_stats **statsp)
{
	struct ostore_options options = { .size = sizeof options, .no_service_thread = true };
	int r = ostore_connect(&inv->conn, global_value(inv, "address"), &options);

	if (r < 0)
		inv->conn = NULL;
	else
		r = ostore_stats(inv->conn, statsp);
	if (r < 0) {
		write_no_broker(writer, ostore_strerror(inv->conn));
		return;
	}
	writer_start_object(writer, "broker", WRITER_PLAIN);
	writer_bool(writer, "running", true);
	writer_string(writer, "address", ostore_address(inv->conn));
	writer_string(writer, "version", (*statsp)->version);
	writer_size(writer, "capacity_bytes", (*statsp)->capacity_bytes);
	write_features(writer, *statsp);
	writer_end(writer);
}

enum status cmd_doctor(struct invocation *inv)
{
	struct writer *writer = writer_new(inv->json);
	struct ostore_stats *stats = NULL;
	const char *missing = NULL;
	enum status status;

	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_count(writer, "uid", geteuid());
	writer_start_list(writer, "checks");
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (!write_check(writer, &checks[i]) && checks[i].essential && !missing)
			missing = checks[i].cost;
	writer_end(writer);
	writer_bool(writer, "ok", !missing);
	write_broker(writer, inv, &stats);
	writer_end(writer);
	status = writer_finish(writer);
	if (stats)
		ostore_stats_free(stats);
	if (!status)
		status = finish_output();
	if (!status && missing)
		status = fail(STATUS_FAILED, "this machine cannot run ostore: %s; see the report", missing);
	return status;
}
