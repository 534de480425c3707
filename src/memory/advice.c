/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/advice.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/memfd.h"

void advise_huge(void *memory, size_t size)
{
	const uintptr_t begin = ((uintptr_t)memory + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
	const uintptr_t end = ((uintptr_t)memory + size) & ~(HUGE_PAGE_BYTES - 1);

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* All its pages: in the first the C library has the size of the array before it, and what it
 * maps for an array so large begins and ends with these. */
static void advise_pages(void *memory, size_t size)
{
	const uintptr_t in_page = (uintptr_t)getpagesize() - 1;
	const uintptr_t begin = (uintptr_t)memory & ~in_page;
	const uintptr_t end = ((uintptr_t)memory + size + in_page) & ~in_page;

	(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void advise_array(void *memory, size_t size, bool grows)
{
	if (grows)
		advise_pages(memory, size);
	else
		advise_huge((char *)memory + HUGE_PAGE_BYTES, size - HUGE_PAGE_BYTES);
}
