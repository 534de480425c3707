/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/layout.h"

#include "util/cleanup.h"
#include "wire/message.h"

#define FIELD(type, what, member, ...) \
	{ .kind = what, .offset = offsetof(struct type, member), __VA_ARGS__ }
#define U32(type, member)  FIELD(type, LAYOUT_U32, member)
#define U64(type, member)  FIELD(type, LAYOUT_U64, member)
#define ID(type, member)   FIELD(type, LAYOUT_ID, member)
#define TEXT(type, member, limit) FIELD(type, LAYOUT_TEXT, member, .max = limit)
#define TEXT_NEVER_NULL(type, member, limit) \
	FIELD(type, LAYOUT_TEXT_NEVER_NULL, member, .max = limit)
#define BYTES(type, member, limit) \
	FIELD(type, LAYOUT_BYTES, member, .size_offset = offsetof(struct type, member##_size), \
		.max = limit)
#define TEXTS(type, member, limit) \
	FIELD(type, LAYOUT_TEXTS, member, .size_offset = offsetof(struct type, member##_size), \
		.max = limit)
#define LAYOUT(list) { .fields = list, .n_fields = ARRAY_SIZE(list) }

/* ---- requests ---- */

static const struct layout_field hello_request[] = {
	U32(wire_request, version_min),
	U32(wire_request, version_max),
	U32(wire_request, flags),
};

static const struct layout_field timeout_request[] = {
	U64(wire_request, timeout_ns),
};

static const struct layout_field get_request[] = {
	U64(wire_request, timeout_ns),
	U32(wire_request, flags),
};

static const struct layout_field name_request[] = {
	TEXT(wire_request, name, WIRE_NAME_MAX + 1),
};

static const struct layout_field token_request[] = {
	ID(wire_request, token),
};

static const struct layout_field reconcile_request[] = {
	U64(wire_request, generation),
};

static const struct layout_field cancel_request[] = {
	U64(wire_request, cursor),
};

static const struct layout_field wait_request[] = {
	U64(wire_request, timeout_ns),
	U32(wire_request, limit),
};

static const struct layout_field list_request[] = {
	U64(wire_request, cursor),
	U32(wire_request, limit),
	U32(wire_request, flags),
	U64(wire_request, skip),
	TEXT(wire_request, name, WIRE_NAME_MAX + 1),
	TEXTS(wire_request, labels, WIRE_LABELS_SIZE_MAX),
};

static const struct layout_field subscribe_request[] = {
	U64(wire_request, cursor),
	U64(wire_request, timeout_ns),
	U32(wire_request, limit),
};

static const struct layout_field configure_request[] = {
	TEXT(wire_request, name, WIRE_NAME_MAX + 1),
	TEXT(wire_request, value, WIRE_TEXT_MAX),
};

static const struct layout_field id_item[] = {
	ID(wire_item, id),
};

static const struct layout_field create_item[] = {
	ID(wire_item, id),
	U64(wire_item, size),
	U32(wire_item, mode),
	U32(wire_item, flags),
	TEXT(wire_item, name, WIRE_NAME_MAX + 1),
	BYTES(wire_item, metadata, WIRE_METADATA_MAX),
	TEXTS(wire_item, labels, WIRE_LABELS_SIZE_MAX),
	TEXT(wire_item, call_site, WIRE_CALL_SITE_MAX + 1),
	U32(wire_item, priority),
	U64(wire_item, ttl_ns),
};

static const struct layout_field put_item[] = {
	ID(wire_item, id),
	U32(wire_item, mode),
	U32(wire_item, flags),
	TEXT(wire_item, name, WIRE_NAME_MAX + 1),
	BYTES(wire_item, metadata, WIRE_METADATA_MAX),
	BYTES(wire_item, data, WIRE_INLINE_MAX),
	TEXTS(wire_item, labels, WIRE_LABELS_SIZE_MAX),
	TEXT(wire_item, call_site, WIRE_CALL_SITE_MAX + 1),
	U32(wire_item, priority),
	U64(wire_item, ttl_ns),
};

static const struct layout_field set_item[] = {
	ID(wire_item, id),
	U64(wire_item, ttl_ns),
	U32(wire_item, flags),
	U32(wire_item, priority),
	TEXTS(wire_item, labels, WIRE_LABELS_SIZE_MAX),
	TEXTS(wire_item, unlabel, WIRE_LABELS_SIZE_MAX),
};

static const struct layout_field count_item[] = {
	ID(wire_item, id),
	U32(wire_item, refs),
	U32(wire_item, pins),
};

/* ---- replies ---- */

static const struct layout_field plain_reply[] = {
	U32(wire_reply, status),
	TEXT(wire_reply, text, WIRE_TEXT_MAX),
};

static const struct layout_field hello_reply[] = {
	U32(wire_reply, status),
	TEXT(wire_reply, text, WIRE_TEXT_MAX),
	U32(wire_reply, version),
	U32(wire_reply, connection),
	U64(wire_reply, arena_base),
	U64(wire_reply, generation),
	U32(wire_reply, flags),
	U32(wire_reply, inline_max),
	U32(wire_reply, max_items),
	U32(wire_reply, max_packet),
	U32(wire_reply, max_fds),
};

static const struct layout_field resume_reply[] = {
	U64(wire_reply, generation),
};

static const struct layout_field list_reply[] = {
	U32(wire_reply, status),
	TEXT(wire_reply, text, WIRE_TEXT_MAX),
	U64(wire_reply, cursor),
	U64(wire_reply, skip),
};

static const struct layout_field subscribe_reply[] = {
	U32(wire_reply, status),
	TEXT(wire_reply, text, WIRE_TEXT_MAX),
	U64(wire_reply, cursor),
	U64(wire_reply, lost),
};

/* How it went with this object. */
static const struct layout_field outcome_item[] = {
	ID(wire_item, id),
	U32(wire_item, status),
	U32(wire_item, flags),
};

/* ... and where it is. */
static const struct layout_field place_item[] = {
	ID(wire_item, id),
	U32(wire_item, status),
	U32(wire_item, flags),
	U64(wire_item, size),
	U64(wire_item, address),
};

/* ... and what a reader needs. */
static const struct layout_field object_item[] = {
	ID(wire_item, id),
	U32(wire_item, status),
	U32(wire_item, flags),
	U64(wire_item, size),
	U64(wire_item, address),
	U32(wire_item, mode),
	U32(wire_item, uid),
	U32(wire_item, gid),
	BYTES(wire_item, metadata, WIRE_METADATA_MAX),
	BYTES(wire_item, data, WIRE_INLINE_MAX),
	U32(wire_item, state),
	U64(wire_item, created_ns),
};

/* Everything that is known of it. */
static const struct layout_field entry_item[] = {
	ID(wire_item, id),
	U32(wire_item, status),
	U32(wire_item, flags),
	U64(wire_item, size),
	U64(wire_item, address),
	U32(wire_item, mode),
	U32(wire_item, uid),
	U32(wire_item, gid),
	U32(wire_item, state),
	U32(wire_item, refs),
	U32(wire_item, pins),
	U64(wire_item, created_ns),
	U64(wire_item, last_access_ns),
	U64(wire_item, accesses),
	U64(wire_item, charged_bytes),
	U64(wire_item, resident_bytes),
	BYTES(wire_item, metadata, WIRE_METADATA_MAX),
	TEXTS(wire_item, names, WIRE_NAMES_MAX),
	TEXTS(wire_item, labels, WIRE_LABELS_SIZE_MAX),
	TEXT(wire_item, call_site, WIRE_CALL_SITE_MAX + 1),
	U32(wire_item, priority),
	U64(wire_item, expires_ns),
};

/* What happened to it. */
static const struct layout_field event_item[] = {
	U64(wire_item, sequence),
	ID(wire_item, id),
	U64(wire_item, size),
	U64(wire_item, time_ns),
	U32(wire_item, event),
	U32(wire_item, flags),
	U32(wire_item, mode),
	U32(wire_item, uid),
	U32(wire_item, gid),
};

static const struct layout_field holder_extra[] = {
	U32(wire_holder, kind),
	U32(wire_holder, pid),
	U32(wire_holder, uid),
	U32(wire_holder, refs),
	U32(wire_holder, pins),
	TEXT_NEVER_NULL(wire_holder, text, WIRE_NAME_MAX + 1),
	U64(wire_holder, expires_ns),
	U32(wire_holder, item),
};

static const struct layout_field field_extra[] = {
	U64(wire_field, number),
	TEXT_NEVER_NULL(wire_field, key, WIRE_TEXT_MAX),
	TEXT_NEVER_NULL(wire_field, value, WIRE_TEXT_MAX),
	TEXT_NEVER_NULL(wire_field, origin, WIRE_TEXT_MAX),
};

const struct layout layout_holder = LAYOUT(holder_extra);
const struct layout layout_field = LAYOUT(field_extra);

/* ---- messages ---- */

#define REQUEST(text) .name = text, .is_request = true
#define ITEMS(min, max, list) .min_items = min, .max_items = max, .request_item = LAYOUT(list)
#define REPLY(list)       .has_reply = true, .reply = LAYOUT(list)
#define REPLY_ITEMS(list) .reply_item = LAYOUT(list)

static const struct layout_message messages[] = {
	[WIRE_HELLO] = {
		REQUEST("HELLO"),
		.request = LAYOUT(hello_request),
		REPLY(hello_reply),
	},
	[WIRE_CREATE] = {
		REQUEST("CREATE"),
		.request = LAYOUT(timeout_request),
		ITEMS(1, 1, create_item),
		REPLY(plain_reply),
		REPLY_ITEMS(place_item),
	},
	[WIRE_SEAL] = {
		REQUEST("SEAL"),
		.request = LAYOUT(timeout_request),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_ABORT] = {
		REQUEST("ABORT"),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_PUT] = {
		REQUEST("PUT"),
		.request = LAYOUT(timeout_request),
		ITEMS(1, WIRE_ITEMS_MAX, put_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_PUT_FD] = {
		REQUEST("PUT_FD"),
		.n_fds = 1,
		.request = LAYOUT(timeout_request),
		ITEMS(1, 1, create_item),
		REPLY(plain_reply),
		REPLY_ITEMS(place_item),
	},
	[WIRE_GET] = {
		REQUEST("GET"),
		.request = LAYOUT(get_request),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(object_item),
	},
	[WIRE_RELEASE] = {
		REQUEST("RELEASE"),
		ITEMS(1, WIRE_ITEMS_MAX, count_item),
	},
	[WIRE_DELETE] = {
		REQUEST("DELETE"),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_HOLD] = {
		REQUEST("HOLD"),
		.needs_name = true,
		.request = LAYOUT(name_request),
		ITEMS(1, 1, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_UNHOLD] = {
		REQUEST("UNHOLD"),
		.needs_name = true,
		.request = LAYOUT(name_request),
		REPLY(plain_reply),
	},
	[WIRE_LOOKUP] = {
		REQUEST("LOOKUP"),
		.needs_name = true,
		.request = LAYOUT(name_request),
		REPLY(plain_reply),
		REPLY_ITEMS(object_item),
	},
	[WIRE_LEASE] = {
		REQUEST("LEASE"),
		.request = LAYOUT(token_request),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_LOAD] = {
		REQUEST("LOAD"),
		.request = LAYOUT(token_request),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(object_item),
	},
	[WIRE_FORK] = {
		REQUEST("FORK"),
		.n_fds = 1,
		REPLY(plain_reply),
	},
	[WIRE_RECONCILE] = {
		REQUEST("RECONCILE"),
		.request = LAYOUT(reconcile_request),
		ITEMS(0, WIRE_ITEMS_MAX, count_item),
	},
	[WIRE_ACK] = {
		REQUEST("ACK"),
	},
	[WIRE_CANCEL] = {
		REQUEST("CANCEL"),
		.request = LAYOUT(cancel_request),
	},
	[WIRE_WAIT] = {
		REQUEST("WAIT"),
		.request = LAYOUT(wait_request),
		ITEMS(1, WIRE_ITEMS_MAX, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_LIST] = {
		REQUEST("LIST"),
		.request = LAYOUT(list_request),
		REPLY(list_reply),
		REPLY_ITEMS(entry_item),
		.extra = LAYOUT_HOLDERS,
	},
	[WIRE_STAT] = {
		REQUEST("STAT"),
		ITEMS(1, 1, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(entry_item),
		.extra = LAYOUT_HOLDERS,
	},
	[WIRE_STATUS] = {
		REQUEST("STATUS"),
		REPLY(plain_reply),
		.extra = LAYOUT_FIELDS,
	},
	[WIRE_CONFIG] = {
		REQUEST("CONFIG"),
		REPLY(plain_reply),
		.extra = LAYOUT_FIELDS,
	},
	[WIRE_SUBSCRIBE] = {
		REQUEST("SUBSCRIBE"),
		.request = LAYOUT(subscribe_request),
		REPLY(subscribe_reply),
		REPLY_ITEMS(event_item),
	},
	[WIRE_SET] = {
		REQUEST("SET"),
		ITEMS(1, 1, set_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_CONFIGURE] = {
		REQUEST("CONFIGURE"),
		.needs_name = true,
		.request = LAYOUT(configure_request),
		REPLY(plain_reply),
	},
	[WIRE_SHARE] = {
		REQUEST("SHARE"),
		.request = LAYOUT(token_request),
		ITEMS(1, 1, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(outcome_item),
	},
	[WIRE_JOIN] = {
		REQUEST("JOIN"),
		.request = LAYOUT(token_request),
		ITEMS(1, 1, id_item),
		REPLY(plain_reply),
		REPLY_ITEMS(object_item),
	},
	[WIRE_RESUME] = {
		.name = "RESUME",
		REPLY(resume_reply),
	},
};

const struct layout_message *layout_find(uint16_t type)
{
	return type < ARRAY_SIZE(messages) && messages[type].name ? &messages[type] : NULL;
}

const char *wire_type_name(uint16_t type)
{
	const struct layout_message *message = layout_find(type & (uint16_t)~WIRE_REPLY);

	return message ? message->name : NULL;
}

const char *wire_error_text(enum wire_error error)
{
	switch (error) {
	case WIRE_E_SUCCESS:
		return "no error";
	case WIRE_E_TRUNCATED:
		return "the packet ends too early";
	case WIRE_E_LENGTH:
		return "a length does not fit the packet";
	case WIRE_E_TYPE:
		return "unknown message type";
	case WIRE_E_LIMIT:
		return "more than the protocol allows";
	case WIRE_E_VALUE:
		return "a field has a forbidden value";
	case WIRE_E_TEXT:
		return "a text does not end where it says";
	case WIRE_E_FDS:
		return "a wrong number of descriptors";
	}
	return "unknown error";
}
