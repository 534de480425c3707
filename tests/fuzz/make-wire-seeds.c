/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-wire-seeds DIRECTORY - write the fullest packet of every type
 *
 * What is in wire_seed_corpus/ is what programs of version 1 send; it stays when
 * a type gets new fields (check-wire reads it).  Run this for a new type alone.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "wire-samples.h"

static _Alignas(8) char packet[WIRE_PACKET_MAX];

static void save(const char *directory, const char *kind, const char *name, ssize_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/v%d-%s-%s", directory, WIRE_VERSION_MAX, kind, name);
	file = fopen(path, "wx");
	if (!file) {
		perror(path);
		return;
	}
	assert(size > 0 && fwrite(packet, 1, (size_t)size, file) == (size_t)size);
	assert(fclose(file) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make-wire-seeds DIRECTORY\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		struct wire_item items[N_ITEMS];
		struct wire_request request = full_request(&promises[i], items);
		struct wire_reply reply;

		if (promises[i].request)
			save(argv[1], "request", promises[i].name,
				wire_request_encode(&request, packet, sizeof packet));
		reply = full_reply(&promises[i], items);
		if (promises[i].reply)
			save(argv[1], "reply", promises[i].name,
				wire_reply_encode(&reply, packet, sizeof packet));
	}
	return 0;
}
