/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/access.h"
#include "core/state.h"

enum { MAY_READ = 4, MAY_WRITE = 2 };

static bool in_group(const struct core *core, uint32_t conn, gid_t gid)
{
	const struct connection *connection = &core->connections[conn];

	if (connection_record(core, conn)->gid == gid)
		return true;
	for (size_t i = 0; i < connection->n_groups; i++)
		if (connection->groups[i] == gid)
			return true;
	return false;
}

bool access_is_owner(const struct core *core, uint32_t conn, uint32_t uid)
{
	const uid_t caller = connection_record(core, conn)->uid;

	return caller == 0 || caller == uid;
}

static bool may(const struct core *core, uint32_t conn, uint32_t uid, uint32_t gid, uint16_t mode,
	int what)
{
	if (access_is_owner(core, conn, uid))
		return true;
	if (in_group(core, conn, gid))
		return mode >> 3 & what;
	return mode & what;
}

bool access_may_read(const struct core *core, uint32_t conn, uint32_t uid, uint32_t gid,
	uint16_t mode)
{
	return may(core, conn, uid, gid, mode, MAY_READ);
}

bool access_may_write(const struct core *core, uint32_t conn, const struct object_record *object)
{
	return may(core, conn, object->uid, object->gid, object->mode, MAY_WRITE);
}

bool access_is_draft_of(const struct core *core, uint32_t conn, const struct object_record *object)
{
	return object->state == WIRE_CREATED && !(object->flags & OBJECT_DELETED) &&
	       object->creator == connection_record(core, conn)->number;
}

bool access_sees(const struct core *core, uint32_t conn, const struct object_record *object)
{
	return object->state != WIRE_CREATED && !(object->flags & OBJECT_DELETED) &&
	       may(core, conn, object->uid, object->gid, object->mode, MAY_READ);
}
