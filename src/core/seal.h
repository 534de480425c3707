/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/seal.h - SEAL and ABORT of drafts */
#ifndef CORE_SEAL_H
#define CORE_SEAL_H

#include <stdint.h>

struct core;
struct pending;
struct wire_request;

void request_seal(struct core *core, uint32_t conn, const struct wire_request *request);
void request_abort(struct core *core, uint32_t conn, const struct wire_request *request);
/* Have the draft of this item sealed: nobody writes it any more. */
void seal_begin(struct core *core, struct pending *pending, uint32_t item, uint32_t o);
/* The edge is done: core_sealed(). */
void seal_done(struct core *core, uint32_t ticket, int result);

#endif
