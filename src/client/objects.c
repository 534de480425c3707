/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of what is held.  A get of what is mapped already costs a hash
 * lookup and the allocation of a handle, and asks nobody: objects never change,
 * and the reference that the broker counts for us keeps this one alive.
 *
 * A mapping is ended under the lock, before its pin is given back, so that
 * whoever maps the object next finds its slot free, in this process and, once
 * the broker knows, everywhere.
 */
#include "client/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/map.h"
#include "client/service.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define FIRST_BUCKETS      64
#define RELEASES_PER_PACKET 128
#define PUT_OFF_BYTES       (1 << 20)
#define PUT_OFF_AFTER_NS    NS_PER_MS /* after another */

_Static_assert(OBJECTS_FRONT_ROOM >= WIRE_HEADER_SIZE + 16 + RELEASES_PER_PACKET * 40, "a packet fits");

/* ---- the table ---- */

/* Ids are random, or chosen by this very process: no need for a keyed hash. */
static size_t bucket_of(const struct ostore *conn, const struct id128 *id)
{
	uint64_t half[2];

	memcpy(half, id, sizeof half);
	return ((half[0] ^ half[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd) >> 32) &
	       (conn->n_buckets - 1);
}

struct entry *objects_lookup(const struct ostore *conn, const struct id128 *id)
{
	struct entry *entry;

	if (conn->n_buckets == 0)
		return NULL;
	entry = conn->buckets[bucket_of(conn, id)];
	while (entry && !id128_equal(&entry->id, id))
		entry = entry->next;
	return entry;
}

/* A table that cannot grow gets slower, not wrong. */
static int grow(struct ostore *conn)
{
	size_t n_old = conn->n_buckets, n_new = n_old ? 2 * n_old : FIRST_BUCKETS;
	struct entry **old = conn->buckets, **new = calloc(n_new, sizeof(struct entry *));

	if (!new)
		return n_old ? 0 : -ENOMEM;
	conn->buckets = new;
	conn->n_buckets = n_new;
	for (size_t i = 0; i < n_old; i++)
		while (old[i]) {
			struct entry *entry = old[i], **bucket = &new[bucket_of(conn, &entry->id)];

			old[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	free(old);
	return 0;
}

static void link_entry(struct ostore *conn, struct entry *entry, bool listed)
{
	struct entry **head = listed ? &conn->buckets[bucket_of(conn, &entry->id)] : &conn->unlisted;

	entry->listed = listed;
	entry->next = *head;
	*head = entry;
	conn->n_entries += listed;
}

static void unlink_entry(struct ostore *conn, struct entry *entry)
{
	struct entry **p = entry->listed ? &conn->buckets[bucket_of(conn, &entry->id)] : &conn->unlisted;

	while (*p != entry)
		p = &(*p)->next;
	*p = entry->next;
	conn->n_entries -= entry->listed;
}

static struct entry *add(struct ostore *conn, const struct id128 *id, bool draft)
{
	struct entry *entry;

	if (conn->n_entries >= conn->n_buckets && grow(conn) < 0)
		return NULL;
	entry = calloc(1, sizeof *entry);
	if (!entry)
		return NULL;
	entry->id = *id;
	entry->draft = draft;
	link_entry(conn, entry, !draft);
	return entry;
}

void objects_list(struct ostore *conn, struct entry *entry)
{
	unlink_entry(conn, entry);
	entry->draft = false;
	link_entry(conn, entry, true);
}

void objects_unlist(struct ostore *conn, const struct id128 *id)
{
	struct entry *entry = objects_lookup(conn, id);

	if (!entry)
		return;
	unlink_entry(conn, entry);
	link_entry(conn, entry, false);
}

bool objects_next(struct ostore *conn, struct objects_cursor *cursor, struct entry **entryp)
{
	struct entry *entry = cursor->entry;

	do {
		if (entry) {
			entry = entry->next;
		} else if (cursor->bucket < conn->n_buckets) {
			entry = conn->buckets[cursor->bucket++];
		} else if (!cursor->unlisted) {
			cursor->unlisted = true;
			entry = conn->unlisted;
		} else {
			return false;
		}
	} while (!entry || (entry->refs == 0 && entry->pins == 0));
	cursor->entry = entry;
	*entryp = entry;
	return true;
}

void objects_deinit(struct ostore *conn)
{
	objects_forget_releases(conn);
	free(conn->buckets);
	conn->buckets = NULL;
	conn->n_buckets = 0;
}

/* ---- giving back ---- */

static bool broker_counts(const struct ostore *conn)
{
	return conn->state != CONNECTION_DEAD && conn->state != CONNECTION_CLOSED;
}

/* Tell the broker, and free the memory that the message is in. */
static void queue_release(struct ostore *conn, struct release *release, const struct id128 *id,
	uint64_t size, uint32_t refs, uint32_t pins)
{
	if (!broker_counts(conn) || (refs == 0 && pins == 0)) {
		free(release);
		return;
	}
	*release = (struct release){
		.next = conn->releases,
		.id = *id,
		.refs = refs,
		.pins = pins,
	};
	conn->releases = release;
	conn->n_releases++;
	conn->release_now |= pins > 0 || size > PUT_OFF_BYTES;
}

void objects_forget_releases(struct ostore *conn)
{
	while (conn->releases) {
		struct release *release = conn->releases;

		conn->releases = release->next;
		free(release);
	}
	conn->n_releases = 0;
	conn->release_now = false;
	conn->front.iov_len = 0;
}

/* The queue's first releases as a packet in conn->front, which is empty. */
static int encode_front(struct ostore *conn)
{
	struct wire_item items[RELEASES_PER_PACKET];
	struct wire_request request = {
		.type = WIRE_RELEASE,
		.serial = ++conn->last_serial,
		.acked_fds = conn->received_fds,
		.items = items,
	};
	ssize_t size;

	while (conn->releases && request.n_items < RELEASES_PER_PACKET) {
		struct release *release = conn->releases;

		items[request.n_items++] = (struct wire_item){
			.id = release->id,
			.refs = release->refs,
			.pins = release->pins,
		};
		conn->releases = release->next;
		free(release);
	}
	conn->n_releases -= request.n_items;
	size = wire_request_encode(&request, conn->front.iov_base, OBJECTS_FRONT_ROOM);
	conn->front.iov_len = size < 0 ? 0 : (size_t)size;
	return size < 0 ? (int)size : 0;
}

int objects_flush_releases(struct ostore *conn, bool follows)
{
	while (conn->releases || conn->front.iov_len > 0) {
		if (conn->front.iov_len > 0) {
			int r = call_transmit_front(conn);

			if (r < 0)
				return r == -EAGAIN ? r : 0;
			continue;
		}
		if (encode_front(conn) == 0 && !conn->releases && follows)
			break;
	}
	conn->release_now = false;
	return 0;
}

/*
 * A release that comes alone is told at once.  Of those that follow each other the
 * next ones are put off, until there are many, or a packet is sent that they can go
 * with, or the service thread's next round.  But not where memory is worth more
 * than a system call.
 */
static bool may_wait(struct ostore *conn)
{
	int64_t now = now_ns(), last = conn->last_release_ns;

	conn->last_release_ns = now;
	return now - last < PUT_OFF_AFTER_NS && !conn->release_now &&
	       conn->n_releases < RELEASES_PER_PACKET && !conn->no_service_thread &&
	       service_start() == 0;
}

void objects_release_soon(struct ostore *conn)
{
	if (!conn->releases || may_wait(conn))
		return;
	/* Somebody has to notice when the worker is another one by now, to which
	 * these releases, like what was said before, mean nothing. */
	call_flush_soon(conn);
	call_poll(conn);
}

/*
 * What replies have added beyond one reference a handle: a get that maps anew
 * what is referred to already brings one each time.  One stays for each handle,
 * since a grant whose request is sent again takes its own back.
 */
static uint32_t take_surplus(struct entry *entry)
{
	uint32_t surplus = entry->refs > entry->handles ? entry->refs - entry->handles : 0;

	entry->refs -= surplus;
	return surplus;
}

/* With the last mapping go all the pins that they may have. */
static void drop_view(struct ostore *conn, struct entry *entry, struct view *view)
{
	uint32_t pins = 0;

	if (--view->users > 0)
		return;
	if (view == entry->map)
		entry->map = NULL;
	else if (view == entry->copy)
		entry->copy = NULL;
	if (view->mapped && view->data)
		(void)munmap(view->data, view->size);
	else if (!view->mapped)
		free(view->data);
	if (view->mapped && --entry->mappings == 0) {
		pins = entry->pins;
		entry->pins = 0;
	}
	queue_release(conn, &view->release, &entry->id, entry->size, take_surplus(entry), pins);
}

/* A pin whose mapping could not be made. */
static void drop_pins(struct ostore *conn, struct entry *entry)
{
	struct release *release = malloc(sizeof *release);

	if (!release)
		return; /* they go with the entry */
	queue_release(conn, release, &entry->id, entry->size, 0, entry->pins);
	entry->pins = 0;
}

static void drop_handle(struct ostore *conn, struct entry *entry)
{
	if (--entry->handles > 0)
		return;
	unlink_entry(conn, entry);
	free(entry->metadata);
	queue_release(conn, &entry->release, &entry->id, entry->size, entry->refs, entry->pins);
}

void objects_put_back(struct ostore *conn, struct grant *grant)
{
	struct entry *entry = TAKE_PTR(grant->entry);

	cleanup_closep(&grant->fd);
	grant->fd = -1;
	if (!entry)
		return;
	if (grant->view)
		drop_view(conn, entry, TAKE_PTR(grant->view));
	else if (grant->pinned && entry->handles > 1 && entry->mappings == 0 && entry->pins > 0)
		drop_pins(conn, entry);
	drop_handle(conn, entry);
}

void objects_unrecord(struct ostore *conn, struct grant *grant)
{
	struct entry *entry = grant->entry;

	if (entry) {
		entry->refs -= entry->refs > 0;
		entry->pins -= grant->pinned && entry->pins > 0;
	}
	objects_put_back(conn, grant);
}

/* ---- what replies grant ---- */

/* The object's mapping, made from this descriptor if there is none yet. */
static int use_map(struct entry *entry, int fd, uint64_t address, struct view **viewp)
{
	struct view *view = entry->map;

	if (!view) {
		int r = 0;

		view = calloc(1, sizeof *view);
		if (!view)
			return -ENOMEM;
		view->mapped = true;
		view->size = entry->size;
		view->shared_address = address != 0 && entry->size == 0;
		if (entry->size > 0)
			r = map_sealed(fd, entry->size, address, &view->data, &view->shared_address);
		if (r < 0) {
			free(view);
			return r;
		}
		entry->map = view;
		entry->mappings++;
	}
	view->users++;
	*viewp = view;
	return 0;
}

static struct view *new_copy(const struct wire_item *item)
{
	struct view *view = calloc(1, sizeof *view);
	size_t size = item->data_size;

	if (!view)
		return NULL;
	if (size > 0) {
		size_t room = (size + OSTORE_DATA_ALIGN - 1) & ~(size_t)(OSTORE_DATA_ALIGN - 1);

		view->data = aligned_alloc(OSTORE_DATA_ALIGN, room);
		if (!view->data) {
			free(view);
			return NULL;
		}
		memcpy(view->data, item->data, size);
	}
	view->size = size;
	return view;
}

static int use_copy(struct entry *entry, const struct wire_item *item, struct view **viewp)
{
	struct view *view = entry->map ? entry->map : entry->copy;

	if (!view) {
		view = new_copy(item);
		if (!view)
			return -ENOMEM;
		entry->copy = view;
	}
	view->users++;
	*viewp = view;
	return 0;
}

/* A view that one handle may write to; from a descriptor, or from the bytes. */
static int use_own(struct entry *entry, const struct wire_item *item, int fd, struct view **viewp)
{
	struct view *view = fd < 0 ? new_copy(item) : calloc(1, sizeof *view);
	int r = 0;

	if (!view)
		return -ENOMEM;
	if (fd >= 0) {
		view->mapped = true;
		view->size = entry->size;
		if (entry->size > 0)
			r = map_cow(fd, entry->size, &view->data);
		if (r < 0) {
			free(view);
			return r;
		}
		entry->mappings++;
	}
	view->writable = true;
	view->users = 1;
	*viewp = view;
	return 0;
}

static int use_metadata(struct entry *entry, const void *metadata, uint32_t size)
{
	if (entry->metadata || size == 0)
		return 0;
	entry->metadata = malloc(size);
	if (!entry->metadata)
		return -ENOMEM;
	memcpy(entry->metadata, metadata, size);
	entry->metadata_size = size;
	return 0;
}

int objects_describe(struct entry *entry, uint64_t size, uid_t uid, int64_t created_ns,
	const void *metadata, uint32_t metadata_size)
{
	int r;

	if (entry->known)
		return 0;
	r = use_metadata(entry, metadata, metadata_size);
	if (r < 0)
		return r;
	entry->size = size;
	entry->uid = uid;
	entry->created_ns = created_ns;
	entry->known = true;
	return 0;
}

/* Does the item speak of another object, which took the id of a deleted one? */
static bool is_another(const struct entry *entry, const struct wire_item *item)
{
	if (!entry->known || item->state == 0)
		return false;
	if (entry->created_ns && entry->created_ns != item->created_ns)
		return true;
	return entry->size != item->size;
}

int objects_record(struct ostore *conn, const struct wire_item *item, int fd,
	enum grant_kind kind, struct grant *grant)
{
	CLEANUP_CLOSE int owned = fd;
	bool draft = kind == GRANT_DRAFT || kind == GRANT_JOIN;
	struct entry *entry = draft ? NULL : objects_lookup(conn, &item->id);
	bool has_fd = item->flags & WIRE_ITEM_FD;
	int r = 0;

	*grant = (struct grant){ .fd = -1, .pinned = has_fd && kind != GRANT_DRAFT };
	if (entry && is_another(entry, item)) {
		objects_unlist(conn, &item->id);
		entry = NULL;
	}
	if (!entry) {
		entry = add(conn, &item->id, draft);
		if (!entry) {
			struct wire_item given = { .id = item->id, .refs = 1, .pins = grant->pinned };
			struct wire_request request = {
				.type = WIRE_RELEASE,
				.items = &given,
				.n_items = 1,
			};

			(void)call_transmit(conn, &request, -1);
			return -ENOMEM;
		}
	}
	entry->refs++;
	entry->pins += grant->pinned;
	entry->handles++;
	grant->entry = entry;
	if (item->state != 0) {
		r = objects_describe(entry, item->size, item->uid, item->created_ns, item->metadata,
			item->metadata_size);
		if (r < 0)
			return r;
	}
	if (draft) {
		grant->fd = TAKE_FD(owned);
	} else if (has_fd) {
		if (fd < 0)
			r = -EMFILE;
		else if (kind == GRANT_COW)
			r = use_own(entry, item, fd, &grant->view);
		else
			r = use_map(entry, fd, item->address, &grant->view);
	} else if (item->flags & WIRE_ITEM_INLINE) {
		if (item->data_size != item->size)
			return -EPROTO;
		r = kind == GRANT_COW ? use_own(entry, item, -1, &grant->view) :
					use_copy(entry, item, &grant->view);
	}
	return r;
}

/* ---- handles ---- */

static struct ostore_object *new_handle(struct ostore *conn, struct entry *entry, struct view *view)
{
	struct ostore_object *object = malloc(sizeof *object);

	if (!object)
		return NULL;
	object->conn = conn;
	object->entry = entry;
	atomic_init(&object->view, view);
	object->draft = NULL;
	conn->n_handles++;
	return object;
}

int objects_take(struct ostore *conn, struct grant *grant, struct ostore_object **objectp)
{
	struct ostore_object *object = new_handle(conn, grant->entry, grant->view);

	if (!object)
		return -ENOMEM;
	grant->entry = NULL;
	grant->view = NULL;
	*objectp = object;
	return 0;
}

int objects_find(struct ostore *conn, const struct id128 *id, unsigned int flags,
	struct ostore_object **objectp)
{
	struct entry *entry = objects_lookup(conn, id);
	struct view *view = NULL;
	struct ostore_object *object;

	if (!entry || entry->refs == 0 || !entry->known || flags & OSTORE_GET_COW)
		return -ENOENT;
	if (!(flags & OSTORE_GET_REF)) {
		view = entry->map;
		if (!view && !(flags & OSTORE_GET_MAP))
			view = entry->copy;
		if (!view)
			return -ENOENT;
	}
	object = new_handle(conn, entry, view);
	if (!object)
		return -ENOMEM;
	entry->handles++;
	if (view)
		view->users++;
	*objectp = object;
	return 0;
}

int objects_expect(struct ostore *conn, const struct id128 *id, struct ostore_object **objectp)
{
	struct entry *entry = objects_lookup(conn, id);
	struct ostore_object *object;

	if (!entry)
		entry = add(conn, id, false);
	object = entry ? new_handle(conn, entry, NULL) : NULL;
	if (!object) {
		if (entry && entry->handles == 0) {
			unlink_entry(conn, entry);
			free(entry);
		}
		return -ENOMEM;
	}
	entry->handles++;
	entry->arriving++;
	entry->absent = false;
	*objectp = object;
	return 0;
}

int objects_dup(struct ostore_object *object, struct ostore_object **objectp)
{
	struct view *view = atomic_load_explicit(&object->view, memory_order_relaxed);
	struct ostore_object *copy = new_handle(object->conn, object->entry, view);

	if (!copy)
		return -ENOMEM;
	object->entry->handles++;
	if (view)
		view->users++;
	*objectp = copy;
	return 0;
}

void objects_drop(struct ostore_object *object)
{
	struct ostore *conn = object->conn;
	struct view *view = atomic_load_explicit(&object->view, memory_order_relaxed);

	if (view)
		drop_view(conn, object->entry, view);
	drop_handle(conn, object->entry);
	conn->n_handles--;
	free(object);
}
