/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many CPUs this thread may really use. */
#ifndef UTIL_CPU_H
#define UTIL_CPU_H

/* cpu_quota() - CPUs' worth of time that the process's cgroups leave it, rounded up
 * @root: "" on a real machine; for tests, a directory with proc/ and sys/ below
 * Opens a few files.  Any thread.
 * Return: at least 1; UINT_MAX where nothing limits it. */
unsigned int cpu_quota(const char *root);

/* cpu_count() - the smaller of the thread's affinity and the quota
 * The quota is read once a process, the affinity each time: 0.3 us.  Any thread.
 * Return: at least 1. */
unsigned int cpu_count(void);

#endif
