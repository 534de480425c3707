/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl get`: an object's bytes, written from its mapping.
 *
 * With -o the bytes go to a file that has no name (O_TMPFILE; or a temporary
 * one where the file system cannot) and gets its name when it is complete: a
 * get that fails or is killed leaves nothing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "writer.h"

/* One write(2) moves less than 2 GiB. */
#define WRITE_MAX (1 << 30)

/* A file on its way.  Everything is undone by output_discard() until output_publish(). */
struct output {
	const char *name; /* as typed, for messages */
	char *path;       /* where it shall be; symbolic links followed */
	char *temporary;  /* its name until then, NULL: it has none */
	int fd;
};

#define OUTPUT_NULL ((struct output){ .fd = -1 })

static enum status cannot_write(const char *name, int error)
{
	return fail(STATUS_FAILED, "%s: %s; nothing was written there", name, strerror(error));
}

static void output_discard(struct output *output)
{
	if (output->temporary)
		(void)unlink(output->temporary);
	if (output->fd >= 0)
		(void)close(output->fd);
	free(output->temporary);
	free(output->path);
	*output = OUTPUT_NULL;
}

static mode_t current_umask(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return mask;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xasprintf("%.*s", (int)(slash - path), path);
}

static char *temporary_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int directory = slash ? slash + 1 - path : 0;

	return xasprintf("%.*s.osctl-get-XXXXXX", directory, path);
}

/* output_open() - begin the file that will be called name
 * Something that is there and no regular file (a device, a pipe) is opened as it is. */
static enum status output_open(struct output *output, const char *name)
{
	char *resolved = realpath(name, NULL);
	CLEANUP_FREE char *directory = NULL;
	struct stat st;
	bool exists;

	output->name = name;
	output->path = resolved ? resolved : xstrdup(name);
	exists = stat(output->path, &st) == 0;
	if (exists && !S_ISREG(st.st_mode)) {
		output->fd = open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return output->fd < 0 ? cannot_write(name, errno) : STATUS_DONE;
	}
	directory = directory_of(output->path);
	output->fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	if (output->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		output->temporary = temporary_name(output->path);
		output->fd = mkostemp(output->temporary, O_CLOEXEC);
		if (output->fd < 0) {
			free(output->temporary);
			output->temporary = NULL;
		} else {
			(void)fchmod(output->fd, 0666 & ~current_umask());
		}
	}
	if (output->fd < 0)
		return cannot_write(name, errno);
	if (exists)
		(void)fchmod(output->fd, st.st_mode & 0777);
	return STATUS_DONE;
}

/* Give a nameless file its name, or when that is taken a temporary one beside it.
 * Return: 1 (it has its name), 0 (a temporary one), or negative errno. */
static int output_link(struct output *output)
{
	char self[32];

	snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, output->path, AT_SYMLINK_FOLLOW) == 0)
		return 1;
	if (errno != EEXIST)
		return -errno;
	/* link(2) does not replace, rename(2) does: a free name first. */
	for (int i = 0; i < 100; i++) {
		char *name = temporary_name(output->path);

		snprintf(name + strlen(name) - 6, 7, "%06x", (unsigned int)getpid() * 100u + i);
		if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
			output->temporary = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static enum status output_publish(struct output *output)
{
	struct stat st;
	int r = 0;

	if (fstat(output->fd, &st) < 0)
		return cannot_write(output->name, errno);
	if (S_ISREG(st.st_mode)) {
		if (!output->temporary)
			r = output_link(output);
		if (r == 0 && rename(output->temporary, output->path) < 0)
			r = -errno;
		if (r < 0)
			return cannot_write(output->name, -r);
		free(output->temporary);
		output->temporary = NULL;
	}
	if (close(TAKE_FD(output->fd)) < 0)
		return fail(STATUS_FAILED, "%s: %s; the file is not complete", output->name,
			strerror(errno));
	output_discard(output);
	return STATUS_DONE;
}

/* ---- bytes ---- */

static enum status write_all(const char *name, int fd, const char *bytes, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, bytes + done, MIN(size - done, (uint64_t)WRITE_MAX));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE)
			return fail(STATUS_FAILED,
				"%s: its reader closed it after %llu of %llu bytes or fewer", name,
				(unsigned long long)done, (unsigned long long)size);
		if (n < 0)
			return fail(STATUS_FAILED, "%s: %s after %llu of %llu bytes", name,
				strerror(errno), (unsigned long long)done, (unsigned long long)size);
		done += n;
	}
	return STATUS_DONE;
}

static enum status write_file(const struct ostore_object *object, const char *name)
{
	struct output output = OUTPUT_NULL;
	enum status status = output_open(&output, name);

	/* Room for all of it now, rather than an error after half of it; where the file system
	 * does not do that, the write will tell. */
	if (!status && ostore_size(object) > 0 &&
		fallocate(output.fd, 0, 0, ostore_size(object)) < 0 && errno == ENOSPC)
		status = cannot_write(name, ENOSPC);
	if (!status)
		status = write_all(name, output.fd, ostore_data(object), ostore_size(object));
	if (!status)
		status = output_publish(&output);
	output_discard(&output);
	return status;
}

static enum status print_summary(const struct ostore_object *object, const char *name)
{
	struct writer *writer = writer_new(true);
	char hex[33];

	writer_start_object(writer, NULL, WRITER_PLAIN);
	writer_string(writer, "id", ostore_id_format(ostore_object_id(object), hex));
	writer_size(writer, "size", ostore_size(object));
	writer_string(writer, "file", name);
	writer_end(writer);
	return writer_finish(writer);
}

/* The object that the argument means, with its bytes. */
static enum status get_object(struct invocation *inv, int64_t timeout, struct ostore_object **objectp)
{
	int64_t now = now_ns(), deadline = deadline_ns(now, timeout);
	struct ostore_object *held;
	enum status status;
	ostore_id id;
	int r;

	status = resolve(inv, inv->args[0], &id, &held);
	if (status)
		return status;
	/* We have no signal handlers, but being stopped and continued interrupts too. */
	do {
		r = ostore_get(inv->conn, &id, 1, MAX(deadline - now, 0), 0, objectp);
		now = now_ns();
	} while (r == -EINTR);
	if (r < 0)
		status = fail_library(inv, r, NULL);
	ostore_release(held);
	return status;
}

enum status cmd_get(struct invocation *inv)
{
	const char *file = option_value(inv, "output");
	struct ostore_object *object;
	enum status status;
	int64_t timeout;

	if (inv->json && !file)
		return usage(inv->command,
			"--json: standard output is for the object's bytes; name a file with -o");
	status = option_seconds(inv, "timeout", 0, &timeout);
	if (!status)
		status = invocation_connect(inv);
	if (!status)
		status = get_object(inv, timeout, &object);
	if (status)
		return status;
	if (file)
		status = write_file(object, file);
	else
		status = write_all("standard output", STDOUT_FILENO, ostore_data(object),
			ostore_size(object));
	if (!status && inv->json)
		status = print_summary(object, file);
	ostore_release(object);
	return status;
}
