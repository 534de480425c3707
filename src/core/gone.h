/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/gone.h - the last CORE_GONE_MAX sealed objects that are gone, and why */
#ifndef CORE_GONE_H
#define CORE_GONE_H

#include <stdint.h>

#include "core/tables.h"

struct core;

void gone_note(struct core *core, const struct object_record *object, enum gone_reason reason);
/* The id exists again. */
void gone_clear(struct core *core, const struct id128 *id);
/* NULL: not known to be gone. */
const struct gone_record *gone_find(const struct core *core, const struct id128 *id);
/* What this connection is told of an id: -ENOENT or -ENODATA if it is gone and was readable, else 0. */
int gone_status(const struct core *core, uint32_t conn, const struct id128 *id);
/* The sentence for that: of what was not readable it says the same as of an id never seen. */
const char *gone_explain(struct core *core, uint32_t conn, const struct id128 *id);
void gone_recover(struct core *core);

#endif
