/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pack's effects: all are carried out here and now, in order. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "broker/worker.h"
#include "util/cleanup.h"

#define HUGE_CAPACITY (UINT64_C(512) << 20) /* a huge page more is less than half a percent */
#define PREFETCH_MAX  1024 /* bytes; the hardware sees what is longer coming */
#define RUN_PIECES    64
#define GAP_MAX       2048 /* the largest object's slot is so much larger than it, at most */

int broker_pack_open(struct broker *broker, uint64_t size, struct memfd_identity *identity)
{
	int r;

	pack_file_unmap(&broker->pack);
	r = pack_file_make(&broker->pack, size, identity);
	if (r < 0)
		return r;
	broker_pack_grow_huge(broker, 0);
	return broker->pack.fd;
}

void broker_pack_grow_huge(struct broker *broker, uint64_t unused)
{
	if (broker->huge_pages && broker->options->core->capacity >= HUGE_CAPACITY)
		pack_file_grow_huge(&broker->pack, unused);
}

static int write_one(struct broker *broker, const struct core_pack_write *write)
{
	char *to = broker->pack.bytes + write->offset;

	if (write->size == 0)
		return 0;
	if (write->from.fd == CORE_PLACE_NONE)
		memcpy(to, write->data, write->size);
	else if (write->from.fd == CORE_PLACE_PACK)
		memcpy(to, broker->pack.bytes + write->from.offset, write->size);
	else
		return pack_file_read(&broker->pack, write->offset, write->from.fd, write->size);
	return 0;
}

/* A frame without memory, and the writes that fill it from its beginning on, one behind the other:
 * they are done with what gives it memory.
 * Return: how many these were, or negative errno. */
static int write_fresh(struct broker *broker, const struct core_pack_write *writes, uint32_t n)
{
	static const char zeros[GAP_MAX];
	const uint64_t begin = writes->offset & ~(uint64_t)(CORE_FRAME_BYTES - 1);
	const uint64_t end = begin + writes->fresh;
	struct iovec pieces[RUN_PIECES];
	size_t n_pieces = 0;
	uint64_t at = begin;
	uint32_t i;
	int r = 0;

	for (i = 0; i < n && n_pieces + 2 <= RUN_PIECES; i++) {
		const struct core_pack_write *write = &writes[i];

		if (write->from.fd != CORE_PLACE_NONE || write->size == 0 ||
				(i > 0 && write->fresh) || write->offset < at ||
				write->offset + write->size > end || write->offset - at > GAP_MAX)
			break;
		if (write->offset > at)
			pieces[n_pieces++] = (struct iovec){ (void *)zeros, write->offset - at };
		pieces[n_pieces++] = (struct iovec){ (void *)write->data, write->size };
		at = write->offset + write->size;
	}
	if (i > 0)
		r = pack_file_write(&broker->pack, begin, pieces, n_pieces);
	at = (at + 4095) & ~UINT64_C(4095);
	if (r == 0 && at < end)
		r = pack_file_populate(&broker->pack, at, end - at);
	return r < 0 ? r : (int)i;
}

int broker_pack_write(struct broker *broker, const struct core_pack_write *writes, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0;) {
		const uint64_t frame = writes[i].offset & ~(uint64_t)(CORE_FRAME_BYTES - 1);

		if (writes[i].fresh && !pack_file_claim(&broker->pack, frame, writes[i].fresh,
						CORE_FRAME_BYTES)) {
			r = write_fresh(broker, &writes[i], n - i);
			if (r < 0)
				return r;
			i += (uint32_t)r;
			if (r > 0) {
				r = 0;
				continue;
			}
		}
		r = write_one(broker, &writes[i++]);
	}
	return r;
}

const char *broker_pack_bytes(const struct broker *broker, const struct core_place *place,
	size_t size)
{
	const char *bytes = broker->pack.bytes + place->offset;

	for (size_t at = 0; at < MIN(size, (size_t)PREFETCH_MAX); at += 64)
		__builtin_prefetch(bytes + at);
	return bytes;
}

int broker_pack_read(const struct broker *broker, const struct core_place *place, char *to,
	size_t size)
{
	size_t done = 0;

	if (place->fd == CORE_PLACE_PACK) {
		memcpy(to, broker->pack.bytes + place->offset, size);
		return 0;
	}
	while (done < size) {
		ssize_t n = pread(place->fd, to + done, size - done, (off_t)done);

		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}
