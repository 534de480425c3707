/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/share.h - drafts that several processes write (R18)
 *
 * SHARE takes a lease on a draft; JOIN is for who knows its token, and gives the draft's
 * descriptor with a reference and a pin.  So the pins of a draft are its writers.
 * The kernel seals nothing that is mapped writable: a SEAL waits here until the
 * draft has no pin.
 */
#ifndef CORE_SHARE_H
#define CORE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct pending;
struct wire_request;

void request_share(struct core *core, uint32_t conn, const struct wire_request *request);
void request_join(struct core *core, uint32_t conn, const struct wire_request *request);

/* The item of a SEAL waits until nobody writes the draft any more. */
void share_wait(struct core *core, struct pending *pending, uint32_t item, uint32_t o);
/* Is the draft being sealed, or waited for? */
bool share_is_sealing(const struct core *core, uint32_t o);
/* Who still writes it: the sentence for -EBUSY. */
const char *share_explain(struct core *core, uint32_t o);
/* A pin went: perhaps the last one. */
void share_reconsider(struct core *core, uint32_t o);
/* The draft is aborted: so is what waits to seal it. */
void share_aborted(struct core *core, uint32_t o);
/* What a SEAL still waits for ends with this status: -EBUSY at its deadline, -ECANCELED. */
void share_give_up(struct core *core, struct pending *pending, int status);

#endif
