/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects being written, and what is left of them after the seal. */
#ifndef CLIENT_DRAFT_H
#define CLIENT_DRAFT_H

#include <stdbool.h>

struct ostore;
struct ostore_object;

/* Is the handle an unsealed object (of this process or of its parent)? */
bool draft_is_open(const struct ostore_object *object);

/* Lock held.  The handle ends: so does its mapping. */
void draft_end(struct ostore_object *object);

/* Lock held, in a forked child: the drafts are the parent's alone. */
void draft_forget_all(struct ostore *conn);

#endif
