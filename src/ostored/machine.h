/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine, and the container around us, has to give. */
#ifndef OSTORED_MACHINE_H
#define OSTORED_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct text;

/* machine_memory() - memory of the machine, and what of it is really available to this process:
 *   the smaller of MemAvailable and the room (limit less usage without cache that can be dropped)
 *   in the process's memory cgroup and each one above it, version 1 and 2
 * @root: "" ; tests give a directory with a proc and a sys of their own
 * Return: 0, or negative errno when even MemAvailable cannot be read. */
int machine_memory(const char *root, uint64_t *totalp, uint64_t *availablep);

/* machine_room() - how much more the store may take: the least of the room in each memory cgroup
 *   around this process, less MACHINE_RESERVE, and of MemAvailable less min_free
 * @root: as above
 * @min_free: 0: MemAvailable does not count, but
 * @is_oversized: the capacity is more than the machine has: then it counts all the same
 * @why: out: which of them it is; unchanged when nothing limits
 * Return: bytes, negative when already too much is used; INT64_MAX: nothing limits. */
int64_t machine_room(const char *root, uint64_t min_free, bool is_oversized, struct text *why);
#define MACHINE_RESERVE (16 << 20) /* what the broker itself may come to need: tables, heap, stacks */

/* machine_descriptors() - raise RLIMIT_NOFILE to wanted (the hard limit too, where allowed), else to
 *   the hard limit; never lowers it
 * Return: how many descriptors there may be. */
uint64_t machine_descriptors(uint64_t wanted);

#endif
