/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pack's effects: all are carried out here and now, in order. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "broker/worker.h"

int broker_pack_open(struct broker *broker, uint64_t size, struct memfd_identity *identity)
{
	int r;

	pack_file_unmap(&broker->pack);
	r = pack_file_make(&broker->pack, size, identity);
	return r < 0 ? r : broker->pack.fd;
}

static int write_one(struct broker *broker, const struct core_pack_write *write)
{
	char *to = broker->pack.bytes + write->offset;
	int r = 0;

	if (write->fresh)
		r = pack_file_populate(&broker->pack, write->offset & ~(uint64_t)(CORE_FRAME_BYTES - 1),
			write->fresh);
	if (r < 0 || write->size == 0)
		return r;
	if (write->from.fd == CORE_PLACE_NONE)
		memcpy(to, write->data, write->size);
	else if (write->from.fd == CORE_PLACE_PACK)
		memcpy(to, broker->pack.bytes + write->from.offset, write->size);
	else
		r = pack_file_read(&broker->pack, write->offset, write->from.fd, write->size);
	return r;
}

int broker_pack_write(struct broker *broker, const struct core_pack_write *writes, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++)
		r = write_one(broker, &writes[i]);
	return r;
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
