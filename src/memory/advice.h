/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory/advice.h - which memory of our own the system should back by huge pages
 *
 * One madvise() each, microseconds, any thread.  Advice is no more: where there are no huge
 * pages, all is as it was.
 */
#ifndef MEMORY_ADVICE_H
#define MEMORY_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

/* Whole huge pages in it. */
void advise_huge(void *memory, size_t size);

/* An array of the heap, of MEMORY_LARGE bytes at least: for memory_is_large (ds/memory.h).
 * Of one that does not grow the first huge page is left out: most are made larger than they
 * get.  Of one that grows all pages are alike afterwards, and realloc() moves it uncopied. */
void advise_array(void *memory, size_t size, bool grows);

#endif
