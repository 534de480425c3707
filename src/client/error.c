/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every failure of the library leaves a sentence where the facts are known.
 * It belongs to the thread, not to the connection: two threads that share a
 * connection do not read each other's, and a connection that could not be made
 * has one too.
 */
#include "client/error.h"

#include <errno.h>
#include <ostore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

static __thread struct text last;

int fail(int error, const char *format, ...)
{
	va_list args;
	int saved = errno, n;

	va_start(args, format);
	n = vsnprintf(last.bytes, sizeof last.bytes, format, args);
	va_end(args);
	last.length = n < 0 ? 0 : (size_t)n < sizeof last.bytes ? (size_t)n : sizeof last.bytes - 1;
	errno = saved;
	return error;
}

int fail_memory(void)
{
	return fail(-ENOMEM, "this process is out of memory: free some, or raise its limit (ulimit -v)");
}

void fail_prepend(const char *format, ...)
{
	char front[128];
	struct text tail = last;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(front, sizeof front, format, args);
	va_end(args);
	text_set(&last, "%s%s", front, tail.bytes);
}

const char *error_cause(int error)
{
	switch (-error) {
	case OSTORE_ENOTFOUND:
		return "no such object, or it is gone; store it again";
	case OSTORE_EEXISTS:
		return "the id is taken; choose another, or let the library draw one";
	case OSTORE_EFULL:
		return "the store is full; release or delete objects, or raise its capacity";
	case OSTORE_EQUOTA:
		return "the quota is used up; release objects, or raise the quota";
	case OSTORE_ELOST:
		return "its bytes are lost; store it again";
	case OSTORE_ETIMEOUT:
		return "not there when the time was over; wait longer, or look whether its producer runs";
	case OSTORE_EDISK:
		return "the spill directories are full; free disk space there";
	case OSTORE_EPERMISSION:
		return "its owner does not allow it; ask for another mode";
	case OSTORE_EBUSY:
		return "in use elsewhere; try again later";
	case EFBIG:
		return "larger than the store can ever hold; raise its capacity";
	case EINVAL:
		return "the broker refuses an argument; see ostore.h for what is allowed";
	case EMFILE:
		return "no descriptor is left; raise the limit (ulimit -n)";
	case ECANCELED:
	case EINTR:
		return "interrupted by a signal; call again to go on";
	default:
		return strerror(-error);
	}
}

const char *ostore_strerror(const struct ostore *conn)
{
	(void)conn;
	return last.length ? last.bytes : "no error";
}
