/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tools/doctor.h - probes of what this machine allows
 *
 * A probe tries the thing itself, for the calling user, rather than reading a
 * version or a setting.  It leaves nothing behind, needs no broker, and writes
 * into found what it saw, in a few words.  Return: is it there?
 */
#ifndef TOOLS_DOCTOR_H
#define TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "util/text.h"

/* doctor-kernel.c: interfaces of the kernel */
bool probe_kernel(struct text *found);
bool probe_sockets(struct text *found);
bool probe_userfaultfd(struct text *found);
bool probe_kernel_faults(struct text *found);
bool probe_fork_events(struct text *found);
bool probe_poison(struct text *found);
bool probe_leases(struct text *found);
bool probe_bpf(struct text *found);
bool probe_io_uring(struct text *found);

/* doctor-memory.c: memory, and limits on it */
bool probe_seals(struct text *found);
bool probe_arena(struct text *found);
bool probe_huge_pages(struct text *found);
bool probe_memory(struct text *found);
bool probe_pressure(struct text *found);
bool probe_descriptors(struct text *found);
bool probe_mappings(struct text *found);
bool probe_disk(struct text *found);

/* read_line() - the first line of a small file, without its end.  Return: was there one? */
bool read_line(const char *path, char *line, size_t line_size);

#endif
