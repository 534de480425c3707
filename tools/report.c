/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures: see report.h. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "report.h"
#include "util/cleanup.h"

static void out_of_memory(void)
{
	static const char line[] = "osctl: out of memory; nothing was printed\n";

	(void)!write(STDERR_FILENO, line, sizeof line - 1);
	_exit(STATUS_FAILED);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		out_of_memory();
	return copy;
}

__attribute__((format(printf, 1, 0)))
static char *xvasprintf(const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory();
	return text;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	return text;
}

char *printable(const char *text)
{
	char *copy = xcalloc(strlen(text) * 4 + 1, 1), *end = copy;
	mbstate_t state = { 0 };

	while (*text) {
		wchar_t character;
		size_t length = mbrtowc(&character, text, strlen(text), &state);

		if (length <= MB_LEN_MAX && iswprint(character)) {
			end = mempcpy(end, text, length);
			text += length;
			continue;
		}
		/* A control character, or bytes that are no character here: one byte at a time. */
		end += sprintf(end, "\\x%02x", (unsigned char)*text++);
		memset(&state, 0, sizeof state);
	}
	return copy;
}

static void print_line(const struct command *command, const char *what, const char *sentence)
{
	CLEANUP_FREE char *line = NULL, *shown = NULL;

	line = xasprintf("osctl%s%s: %s%s%s", command ? " " : "", command ? command->name : "",
		what ? what : "", what ? ": " : "", sentence);
	shown = printable(line);
	fprintf(stderr, "%s\n", shown);
}

enum status fail(enum status status, const char *format, ...)
{
	CLEANUP_FREE char *sentence = NULL;
	va_list arguments;

	va_start(arguments, format);
	sentence = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(NULL, NULL, sentence);
	return status;
}

enum status usage(const struct command *command, const char *format, ...)
{
	CLEANUP_FREE char *sentence = NULL;
	va_list arguments;

	va_start(arguments, format);
	sentence = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(command, NULL, sentence);
	return STATUS_USAGE;
}

enum status status_of(int r)
{
	switch (-r) {
	case 0:
		return STATUS_DONE;
	case OSTORE_EUNAVAILABLE:
		return STATUS_NO_BROKER;
	case OSTORE_ENOTFOUND:
		return STATUS_NOT_FOUND;
	case OSTORE_EFULL:
	case OSTORE_EQUOTA:
	case EFBIG: /* larger than the store will ever be */
		return STATUS_FULL;
	case OSTORE_ETIMEOUT:
		return STATUS_TIMEOUT;
	default:
		return STATUS_FAILED;
	}
}

enum status fail_library(const struct invocation *inv, int r, const char *what)
{
	/* The sentence lives until the next call into the library: use it at once. */
	print_line(NULL, what, ostore_strerror(inv->conn));
	return status_of(r);
}

enum status finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_DONE;
	return fail(STATUS_FAILED, "standard output: %s; the output is not complete",
		strerror(errno));
}
