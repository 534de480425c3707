/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tools/report.h - failures: one line on standard error, and an exit status
 *
 * A line says which object or file, what happened, and what to do.  What is
 * not printable in it (names and file names are anybody's bytes) is shown as
 * \xNN, so that a line stays one line and cannot drive the terminal.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "osctl.h"

/* fail() - "osctl: ..." on standard error.  Return: status. */
enum status fail(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The line for a wrong word: "osctl put: ...".  Return: STATUS_USAGE. */
enum status usage(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* fail_library() - the line that libostore wrote for the negative errno r
 * @what: put before it, or NULL.  Return: status_of(r). */
enum status fail_library(const struct invocation *inv, int r, const char *what);

/* The exit status that a negative errno of libostore stands for. */
enum status status_of(int r);

/* Send what was printed on its way.  STATUS_DONE, or STATUS_FAILED with the line printed. */
enum status finish_output(void);

/* Memory, or the end of the program with a line. */
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* A copy of text in which control characters, and bytes that are no character in
 * the locale, are \xNN: safe for a terminal, and for libsmartcols, which loops
 * for ever on an invalid multibyte sequence. */
char *printable(const char *text);

#endif
