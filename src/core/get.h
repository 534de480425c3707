/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/get.h - GET and WAIT (R7) */
#ifndef CORE_GET_H
#define CORE_GET_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct pending;
struct watch;
struct wire_request;

void request_get(struct core *core, uint32_t conn, const struct wire_request *request);

/* What watches report: 0 sealed, -ENOENT or -ENODATA gone. */
void get_set_status(struct watch *watch, int status);
/* Can the request be answered? */
bool get_is_decided(const struct pending *pending);
/* Answer it; the pending is gone after this. */
void get_finish(struct core *core, struct pending *pending);
void get_expire(struct core *core, struct pending *pending);

/* The memfds of a GET's objects in the pack are made, or cannot be; the pending may be gone after
 * this. */
void get_unpacked(struct core *core, struct pending *pending);
/* The GET does not wait for memfds any more. */
void get_unwant(struct core *core, struct pending *pending);

#endif
