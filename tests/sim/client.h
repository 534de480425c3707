/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/client.h - what clients say
 *
 * Mostly what a sensible client would, looking at what it holds and what there
 * is; often enough something that makes no sense.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "model.h"
#include "rng.h"

/* How the clients of a seed behave: drawn once. */
struct habits {
	uint32_t weights[WIRE_REQUEST_LAST + 1];
	uint32_t total;
	unsigned int nonsense; /* permille of ids, sizes, flags drawn without looking */
	uint64_t usual_size;   /* most objects are up to this big */
	int64_t usual_timeout;
	unsigned int ids;      /* how many ids are in use */
	unsigned int batch;    /* most items of most batches */
	unsigned int bulkiness; /* permille of new objects that have as much metadata as can be */
};

void habits_draw(struct habits *habits, struct rng *rng, uint64_t capacity);
/* A request of this connection.  PUT_FD and FORK come without their descriptor (fd = -1),
 * serial 0. */
void client_draw(struct request *request, const struct habits *habits, struct rng *rng,
	const struct model *model, uint32_t conn);

#endif
