/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `osctl put`: a file or standard input becomes an object.
 *
 * A file whose length is known is read straight into the object's own memory.
 * Anything else (a pipe, /proc files) is collected in a memfd first, which is
 * then sealed and offered as it is, so it is not copied a second time.  Such a
 * stream is refused when it grows beyond the store's capacity: until it is
 * offered nothing but this check limits it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "util/cleanup.h"
#include "writer.h"

#define STREAM_CHUNK (1024 * 1024)
/* Up to this a stream is put from the buffer: a descriptor would cost more than the copy. */
#define COPY_MAX (64 * 1024)
/* One read(2) moves less than 2 GiB. */
#define READ_MAX (1 << 30)

struct source {
	const char *name; /* for messages */
	int fd;
};

struct metadata {
	char *bytes;
	size_t size;
};

/* read_all() - size bytes, fewer only at the end of the file
 * Return: how many, or a negative errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, bytes + done, MIN(size - done, (size_t)READ_MAX));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

static enum status source_open(struct source *source, const char *word)
{
	if (strcmp(word, "-") == 0) {
		*source = (struct source){ .name = "standard input", .fd = STDIN_FILENO };
		return STATUS_DONE;
	}
	*source = (struct source){ .name = word, .fd = open(word, O_RDONLY | O_CLOEXEC) };
	if (source->fd < 0)
		return fail(STATUS_FAILED, "%s: %s; nothing was stored", word, strerror(errno));
	return STATUS_DONE;
}

static void source_close(struct source *source)
{
	if (source->fd > STDERR_FILENO)
		(void)close(source->fd);
}

static enum status cannot_read(const struct source *source, int error)
{
	return fail(STATUS_FAILED, "%s: %s; nothing was stored", source->name, strerror(error));
}

/* ---- the three ways in ---- */

static enum status put_bytes(struct invocation *inv, const char *bytes, size_t size,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	int r = ostore_put(inv->conn, bytes, size, options, objectp);

	return r < 0 ? fail_library(inv, r, NULL) : STATUS_DONE;
}

static enum status put_file(struct invocation *inv, const struct source *source, uint64_t size,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	struct ostore_object *draft;
	char extra;
	ssize_t n;
	int r;

	r = ostore_create(inv->conn, size, options, &draft);
	if (r < 0)
		return fail_library(inv, r, NULL);
	n = read_all(source->fd, ostore_buffer(draft), size);
	if (n < 0 || (uint64_t)n < size || read_all(source->fd, &extra, 1) != 0) {
		ostore_abort(draft);
		if (n < 0)
			return cannot_read(source, -n);
		return fail(STATUS_FAILED,
			"%s: its length changed while it was read; nothing was stored, try again",
			source->name);
	}
	r = ostore_seal(draft, false);
	if (r < 0) {
		enum status status = fail_library(inv, r, source->name);

		ostore_abort(draft);
		return status;
	}
	*objectp = draft;
	return STATUS_DONE;
}

/* Is a stream of this many bytes more than the store can hold? */
static enum status check_capacity(struct invocation *inv, const struct source *source, uint64_t capacity,
	uint64_t size)
{
	if (size <= capacity)
		return STATUS_DONE;
	return fail(STATUS_FULL,
		"%s: longer than the store's capacity of %llu bytes; nothing was stored, "
		"put it in parts or start the broker with a larger capacity",
		source->name, (unsigned long long)capacity);
}

/* Everything from here to the end of the stream goes into memfd, after the n bytes in buffer. */
static enum status collect(struct invocation *inv, const struct source *source, int memfd, char *buffer,
	ssize_t n)
{
	struct ostore_stats *stats;
	uint64_t capacity, size = 0;
	enum status status;
	int r = ostore_stats(inv->conn, &stats);

	if (r < 0)
		return fail_library(inv, r, NULL);
	capacity = stats->capacity_bytes;
	ostore_stats_free(stats);

	while (n > 0) {
		size += n;
		status = check_capacity(inv, source, capacity, size);
		if (status)
			return status;
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(memfd, buffer + done, n - done);

			if (written < 0 && errno != EINTR)
				return fail(STATUS_FAILED, "%s: no memory to collect it in: %s; "
							   "nothing was stored",
					source->name, strerror(errno));
			done += MAX(written, 0);
		}
		n = read_all(source->fd, buffer, STREAM_CHUNK);
	}
	return n < 0 ? cannot_read(source, -n) : STATUS_DONE;
}

static enum status put_stream(struct invocation *inv, const struct source *source,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	CLEANUP_FREE char *buffer = xcalloc(1, STREAM_CHUNK);
	CLEANUP_CLOSE int memfd = -1;
	ssize_t n = read_all(source->fd, buffer, STREAM_CHUNK);
	enum status status;
	int r;

	if (n < 0)
		return cannot_read(source, -n);
	if (n <= COPY_MAX)
		return put_bytes(inv, buffer, n, options, objectp);
	memfd = memfd_create("osctl-put", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return fail(STATUS_FAILED, "%s: memfd_create: %s; nothing was stored", source->name,
			strerror(errno));
	status = collect(inv, source, memfd, buffer, n);
	if (status)
		return status;
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(STATUS_FAILED, "%s: cannot seal its memory: %s; nothing was stored",
			source->name, strerror(errno));
	r = ostore_put_fd(inv->conn, memfd, options, objectp);
	return r < 0 ? fail_library(inv, r, NULL) : STATUS_DONE;
}

static enum status put_source(struct invocation *inv, const struct source *source,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	struct stat st;
	off_t position;

	if (fstat(source->fd, &st) < 0)
		return cannot_read(source, errno);
	if (S_ISDIR(st.st_mode))
		return cannot_read(source, EISDIR);
	/* Standard input may be a file of which a part has been read already.  A length of 0 is
	 * also what /proc says of files that have bytes. */
	position = S_ISREG(st.st_mode) ? lseek(source->fd, 0, SEEK_CUR) : -1;
	if (position < 0 || st.st_size - position <= COPY_MAX)
		return put_stream(inv, source, options, objectp);
	return put_file(inv, source, st.st_size - position, options, objectp);
}

/* ---- the words ---- */

static enum status parse_mode(const struct invocation *inv, mode_t *modep)
{
	const char *word = option_value(inv, "mode");
	char *end;
	unsigned long mode;

	if (!word)
		return STATUS_DONE;
	mode = strtoul(word, &end, 8);
	if (word[0] < '0' || word[0] > '7' || *end || mode == 0 || mode > 0777)
		return usage(inv->command, "--mode %s: not permission bits in octal (0600, 0640, 0444)",
			word);
	*modep = mode;
	return STATUS_DONE;
}

static enum status parse_attributes(struct invocation *inv, struct ostore_put_options *options)
{
	int64_t priority;
	enum status status = option_seconds(inv, "ttl", 0, &options->ttl);

	if (!status)
		status = option_integer(inv, "priority", -OSTORE_PRIORITY_MAX, OSTORE_PRIORITY_MAX, 0,
			&priority);
	if (status)
		return status;
	if (option_value(inv, "ttl") && options->ttl == 0)
		return usage(inv->command, "--ttl %s: an object must live longer than that",
			option_value(inv, "ttl"));
	options->priority = (int)priority;
	options->pin = option_value(inv, "pin");
	options->n_labels = option_values(inv, "label", &options->labels);
	return STATUS_DONE;
}

static enum status read_metadata(const struct invocation *inv, struct metadata *metadata)
{
	const char *word = option_value(inv, "metadata");
	struct source source;
	enum status status;
	ssize_t n;

	if (!word)
		return STATUS_DONE;
	status = source_open(&source, word);
	if (status)
		return status;
	metadata->bytes = xcalloc(1, OSTORE_METADATA_MAX + 1);
	n = read_all(source.fd, metadata->bytes, OSTORE_METADATA_MAX + 1);
	source_close(&source);
	if (n < 0)
		return cannot_read(&source, -n);
	if (n > OSTORE_METADATA_MAX)
		return fail(STATUS_FAILED, "%s: longer than %d bytes, which metadata may have; "
					   "nothing was stored",
			source.name, OSTORE_METADATA_MAX);
	metadata->size = n;
	return STATUS_DONE;
}

static enum status parse(struct invocation *inv, struct ostore_put_options *options,
	ostore_id *idp)
{
	const char *id = option_value(inv, "id"), *metadata = option_value(inv, "metadata");
	enum status status = STATUS_DONE;

	options->name = option_value(inv, "name");
	options->hold = !options->name;
	if (options->name)
		status = check_name(inv, options->name);
	if (!status && id) {
		status = parse_id(inv, id, idp);
		options->id = idp;
	}
	if (!status && metadata && strcmp(metadata, "-") == 0 && strcmp(inv->args[0], "-") == 0)
		status = usage(inv->command,
			"--metadata -: standard input is the object already; name a file");
	if (!status)
		status = parse_attributes(inv, options);
	return status ? status : parse_mode(inv, &options->mode);
}

/* The id, which the caller needs: if it cannot be printed, an object that only the id can
 * reach is taken back. */
static enum status print_id(struct invocation *inv, const struct ostore_object *object, bool named)
{
	char hex[33];
	enum status status;

	ostore_id_format(ostore_object_id(object), hex);
	if (inv->json) {
		struct writer *writer = writer_new(true);

		writer_start_object(writer, NULL, WRITER_PLAIN);
		writer_string(writer, "id", hex);
		writer_size(writer, "size", ostore_size(object));
		writer_end(writer);
		writer_finish(writer);
	} else {
		printf("%s\n", hex);
	}
	status = finish_output();
	if (status && !named)
		(void)ostore_delete(inv->conn, ostore_object_id(object), 1, NULL);
	return status;
}

enum status cmd_put(struct invocation *inv)
{
	struct ostore_put_options options = { .size = sizeof options };
	struct metadata metadata = { NULL, 0 };
	struct source source = { .fd = -1 };
	struct ostore_object *object = NULL;
	enum status status;
	ostore_id id;

	status = parse(inv, &options, &id);
	if (!status)
		status = read_metadata(inv, &metadata);
	if (!status)
		status = source_open(&source, inv->args[0]);
	if (!status)
		status = invocation_connect(inv);
	if (!status) {
		options.metadata = metadata.bytes;
		options.metadata_size = metadata.size;
		status = put_source(inv, &source, &options, &object);
	}
	if (!status)
		status = print_id(inv, object, options.name);
	ostore_release(object);
	source_close(&source);
	free(metadata.bytes);
	return status;
}
