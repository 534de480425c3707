/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/access.h - rights of a connection on objects and ids (R1, R8), all in one place */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct gone_record;
struct object_record;

/* May it read what belongs to uid, gid with this mode?  As in the file system: the class decides
 * (owner, group, other), except that the owner and uid 0 always may. */
bool access_may_read(const struct core *core, uint32_t conn, uint32_t uid, uint32_t gid,
	uint16_t mode);
bool access_may_write(const struct core *core, uint32_t conn, const struct object_record *object);
/* Is it this uid's, or is the caller root? */
bool access_is_owner(const struct core *core, uint32_t conn, uint32_t uid);
/* Is it this connection's own draft? */
bool access_is_draft_of(const struct core *core, uint32_t conn, const struct object_record *object);
/* Does the object exist for this connection as a sealed object? */
bool access_sees(const struct core *core, uint32_t conn, const struct object_record *object);

#endif
