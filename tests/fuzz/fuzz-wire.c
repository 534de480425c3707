/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets from strangers: decoded both ways, and held against wire-check.h. */
#include "fuzz.h"
#include "wire-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_scratch scratch; /* kept, as broker and library keep theirs */
	int request = wire_check_request(&scratch, data, size);
	int reply = wire_check_reply(&scratch, data, size);

	/* a packet is never both */
	assert(request != 0 || reply != 0);
	return 0;
}
