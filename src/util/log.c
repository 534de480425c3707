/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 1024 /* longer lines are cut */

/* Relaxed: a thread that sees the old level for a moment does no harm. */
static atomic_int max_level = LOG_LEVEL_NOTICE;

/* $JOURNAL_STREAM is inherited by programs whose stderr has been redirected
 * since, so it counts only while it names the stderr that we have. */
static bool stderr_is_journal(void)
{
	static atomic_int known; /* 0 not asked yet, 1 no, 2 yes; asking twice does no harm */
	int state = atomic_load_explicit(&known, memory_order_relaxed);

	if (state == 0) {
		const char *stream = getenv("JOURNAL_STREAM");
		unsigned long long device, inode;
		struct stat st;

		state = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
				fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
				st.st_ino == inode
			? 2
			: 1;
		atomic_store_explicit(&known, state, memory_order_relaxed);
	}
	return state == 2;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[LINE_SIZE + 1]; /* the newline's place is kept */
	va_list arguments;
	int prefix, n;
	size_t length;

	if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
		return;
	prefix = stderr_is_journal() ? snprintf(line, LINE_SIZE, "<%d>", (int)level)
				     : snprintf(line, LINE_SIZE, "ostored: ");
	errno = saved; /* for %m */
	va_start(arguments, format);
	n = vsnprintf(line + prefix, LINE_SIZE - (size_t)prefix, format, arguments);
	va_end(arguments);
	if (n < 0)
		n = 0;
	length = (size_t)prefix + (size_t)n;
	if (length > LINE_SIZE - 1)
		length = LINE_SIZE - 1;
	/* Names that clients chose may be part of it: one message stays one line. */
	for (size_t i = (size_t)prefix; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	/* One write: lines of several threads and processes do not mix. */
	(void)!write(STDERR_FILENO, line, length);
	errno = saved;
}
