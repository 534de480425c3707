/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ostored/features.h"

void features_fill(struct wire_field fields[FEATURES_N], bool huge_pages, bool huge_pages_allowed)
{
	static const char *const unused[] = {
		"feature.bpf",
		"feature.userfaultfd",
		"feature.kernel_faults",
		"feature.io_uring",
	};
	unsigned n = 0;

	fields[n++] = (struct wire_field){
		.key = "feature.huge_pages",
		.value = huge_pages ? "on" : "off",
		.origin = huge_pages   ? "" :
			  huge_pages_allowed ? "huge_pages = no" :
						     "shmem_enabled is never or deny in "
						     "/sys/kernel/mm/transparent_hugepage",
		.number = huge_pages,
	};
	for (unsigned i = 0; i < sizeof unused / sizeof unused[0]; i++)
		fields[n++] = (struct wire_field){
			.key = unused[i],
			.value = "off",
			.origin = "not used by this version",
		};
}
