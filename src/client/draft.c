/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Creating objects.
 *
 * A small one travels inside the request.  A larger one is a draft first: the
 * broker makes its memfd, we write, the broker seals.  How to write is chosen by
 * what the machine allows: where memfds get huge pages, through a mapping (one
 * fault for 2 MiB); elsewhere with pwrite(2), which needs no page tables at all
 * and is more than twice as fast as faulting 4 KiB at a time.
 *
 * A draft's mapping is shared and writable, and not at the address that the
 * sealed object will have.  The kernel refuses to seal while such a mapping
 * exists, so sealing begins by replacing it, in one mmap(MAP_FIXED): by a
 * private view of the same memfd, if the caller wants his pointers to stay good
 * (what is written through them from then on goes to pages of this process), or
 * by a placeholder, which keeps the address free in case the seal fails and the
 * draft has to be what it was.
 *
 * Ids are drawn here, not by the broker: a request that is sent again, because
 * the broker's worker died, then means the same object.
 */
#include "client/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/attributes.h"
#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "client/map.h"
#include "client/objects.h"
#include "client/pieces.h"
#include "util/cleanup.h"

#define SEALS     (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define HELPLESS_PUTS 16 /* after one whose helpers came too late */

/* ---- options ---- */

void order_deinit(struct order *order)
{
	free(order->labels);
}

/* The end of one that is too long tells more than its beginning. */
static const char *cut_call_site(const char *call_site)
{
	size_t length = call_site ? strlen(call_site) : 0;

	if (length == 0)
		return NULL;
	if (length > WIRE_CALL_SITE_MAX) {
		call_site += length - WIRE_CALL_SITE_MAX;
		while ((*call_site & 0xc0) == 0x80) /* not in the middle of a character */
			call_site++;
	}
	return call_site;
}

/* Those of an object that is new. */
static int take_attributes(struct order *order, const struct ostore_put_options *options)
{
	int r = check_priority(options->priority);

	if (r < 0)
		return r;
	if (options->ttl < 0)
		return fail(-EINVAL, "a time to live of %lld ns: it must not be negative",
			(long long)options->ttl);
	order->priority = options->priority;
	order->ttl = options->ttl == OSTORE_FOREVER ? 0 : options->ttl;
	order->call_site = cut_call_site(options->call_site);
	if (options->pin)
		order->flags |= WIRE_ITEM_PIN;
	return labels_join(options->labels, options->n_labels, &order->labels, &order->labels_size);
}

int order_take(struct order *order, const struct ostore_put_options *options, uint64_t size,
	struct id_stock *stock)
{
	struct ostore_put_options known = { .size = 0 };
	ostore_id random;
	int r;

	if (options) {
		if (options->size < sizeof options->size)
			return fail(-EINVAL, "put options: size is not set");
		memcpy(&known, options, MIN(options->size, sizeof known));
	}
	if (known.metadata_size > OSTORE_METADATA_MAX)
		return fail(-EMSGSIZE, "metadata of %zu bytes: at most %d are allowed; put the rest "
			"into the data", known.metadata_size, OSTORE_METADATA_MAX);
	if (known.metadata_size > 0 && !known.metadata)
		return fail(-EINVAL, "metadata: %zu bytes at a null pointer", known.metadata_size);
	if (known.name && (!*known.name || strlen(known.name) > OSTORE_NAME_MAX))
		return fail(-EINVAL, "a name has 1 to %d bytes, not %zu", OSTORE_NAME_MAX,
			strlen(known.name));
	if (known.mode & ~(mode_t)0777)
		return fail(-EINVAL, "mode %o: only permission bits (0777) are allowed", known.mode);
	if (known.timeout < 0)
		return fail(-EINVAL, "a timeout of %lld ns: it must not be negative",
			(long long)known.timeout);
	if (size > INT64_MAX)
		return fail(-EFBIG, "an object of %llu bytes: no file can be that large",
			(unsigned long long)size);
	if (!known.id) {
		r = stock ? id_stock_take(stock, &random) : ostore_id_random(&random);
		if (r < 0)
			return fail(r, "no random id: getrandom: %s", strerror(-r));
		known.id = &random;
	}
	*order = (struct order){
		.mode = known.mode ? known.mode : 0600,
		.flags = known.hold ? WIRE_ITEM_HOLD : 0,
		.timeout = known.timeout,
		.name = known.name,
		.metadata = known.metadata_size ? known.metadata : NULL,
		.metadata_size = (uint32_t)known.metadata_size,
	};
	memcpy(&order->id, known.id, sizeof order->id);
	if (id128_is_zero(&order->id))
		return fail(-EINVAL, "the id of all zeros is not allowed");
	(void)id128_format(&order->id, order->hex);
	return take_attributes(order, &known);
}

struct wire_item order_item(const struct order *order, uint64_t size)
{
	return (struct wire_item){
		.id = order->id,
		.size = size,
		.mode = order->mode,
		.flags = order->flags,
		.name = order->name,
		.metadata = order->metadata,
		.metadata_size = order->metadata_size,
		.labels = order->labels,
		.labels_size = order->labels_size,
		.call_site = order->call_site,
		.priority = order->priority,
		.ttl_ns = order->ttl,
	};
}

static struct call *order_call(const struct order *order, uint16_t type, uint64_t size,
	struct waiter *waiter)
{
	struct call *call = call_new(type, 1, waiter);

	if (!call)
		return NULL;
	call_set_item(call);
	call->item = order_item(order, size);
	call_set_timeout(call, order->timeout);
	return call;
}

/* ---- drafts ---- */

bool draft_is_open(const struct ostore_object *object)
{
	return object->draft && !object->draft->sealed;
}

static void unlink_draft(struct ostore *conn, struct draft *draft)
{
	struct draft **p = &conn->drafts;

	while (*p != draft)
		p = &(*p)->next;
	*p = draft->next;
}

void draft_end(struct ostore_object *object)
{
	struct draft *draft = TAKE_PTR(object->draft);

	if (!draft)
		return;
	unlink_draft(object->conn, draft);
	if (draft->shared && !draft->sealed)
		object->conn->release_now = true; /* from now on nobody may join */
	if (draft->data && !draft->foreign)
		(void)munmap(draft->data, draft->size);
	cleanup_closep(&draft->fd);
	free(draft);
}

void draft_forget_all(struct ostore *conn)
{
	struct objects_cursor cursor = { 0 };
	struct entry *entry;

	while (objects_next(conn, &cursor, &entry))
		if (entry->draft)
			entry->refs = entry->pins = 0;
	for (struct draft *draft = conn->drafts; draft; draft = draft->next) {
		if (draft->sealed)
			continue;
		draft->foreign = true;
		cleanup_closep(&draft->fd);
		draft->fd = -1;
	}
}

/* Lock held, dropped while waiting.  A handle with a draft that nobody maps yet. */
static int begin(struct ostore *conn, const struct order *order, uint64_t size,
	struct ostore_object **objectp)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = order_call(order, WIRE_CREATE, size, &waiter);
	struct draft *draft = calloc(1, sizeof *draft);
	struct ostore_object *object;
	int r;

	if (!call || !draft) {
		free(call);
		free(draft);
		return fail_memory();
	}
	draft->fd = -1;
	r = call_one(conn, call, CALL_INTERRUPTIBLE, "create of %s", order->hex);
	if (r == 0 && (call->n_grants != 1 || (size > 0 && call->grants[0].fd < 0)))
		r = fail(-EPROTO, "create of %s: the broker sent no memory for it", order->hex);
	if (r == 0) {
		draft->size = size;
		draft->fd = TAKE_FD(call->grants[0].fd);
		r = objects_describe(call->grants[0].entry, size, conn->uid, 0, order->metadata,
			order->metadata_size);
		if (r == 0)
			r = objects_take(conn, &call->grants[0], &object);
		if (r < 0)
			(void)fail_memory();
	}
	if (r == 0) {
		object->draft = draft;
		draft->next = conn->drafts;
		conn->drafts = draft;
		*objectp = object;
	} else {
		cleanup_closep(&draft->fd);
		free(draft);
	}
	call_end(conn, call);
	return r;
}

/* We may seal the memfd as well as the broker may, which then has only to look.
 * What else goes wrong here is left to it. */
static int seal_memfd(const struct draft *draft, const char *hex)
{
	if (fcntl(draft->fd, F_ADD_SEALS, SEALS) < 0 && errno == EBUSY)
		return fail(-EBUSY, "seal of %s: its memory is still mapped writable, or in use by the "
			"kernel (a pipe, io_uring); end that and seal again", hex);
	return 0;
}

/* Lock held, dropped while waiting.  No shared mapping of ours is left.
 * @timeout: for those that it was shared with */
static int seal(struct ostore_object *object, int64_t timeout)
{
	struct ostore *conn = object->conn;
	struct waiter waiter = WAITER_INIT;
	struct call *call = call_new(WIRE_SEAL, 0, &waiter);
	char hex[ID128_TEXT_SIZE];
	int r;

	if (!call)
		return fail_memory();
	call_set_item(call);
	call->item.id = object->entry->id;
	(void)id128_format(&object->entry->id, hex);
	/* The broker's own deadline: when it has begun to seal, it is better waited for. */
	call->request.timeout_ns = timeout;
	if (!object->draft->shared) {
		pthread_mutex_unlock(&conn->lock); /* while a page is pinned, it takes 0.2 s to give up */
		r = seal_memfd(object->draft, hex);
		pthread_mutex_lock(&conn->lock);
		if (r < 0) {
			free(call);
			return r;
		}
	}
	r = call_one(conn, call, CALL_PATIENT, "seal of %s", hex);
	if (r == 0) {
		objects_list(conn, object->entry);
		object->draft->sealed = true;
		cleanup_closep(&object->draft->fd);
		object->draft->fd = -1;
	}
	call_end(conn, call);
	return r;
}

/* ---- writing ---- */

/* Return: 0 or negative errno; *helpersp: how many were of use. */
static int fill(const struct ostore *conn, int fd, uint64_t size, const struct iovec *pieces,
	size_t n, unsigned int *helpersp)
{
	unsigned int helpers = *helpersp;
	void *data;
	int r;

	*helpersp = 0;
	if (!conn->huge_pages || size < MAP_HUGE_SIZE)
		return pieces_write(fd, pieces, n);
	r = map_draft(fd, size, &data);
	if (r < 0)
		return pieces_write(fd, pieces, n);
	*helpersp = pieces_copy_much(data, pieces, n, size, helpers);
	(void)munmap(data, size);
	return 0;
}

/* ---- public: in place ---- */

int ostore_create(struct ostore *conn, uint64_t size, const struct ostore_put_options *options,
	struct ostore_object **draftp)
{
	struct ostore_object *object = NULL;
	CLEANUP_ORDER struct order order = ORDER_INIT;
	int r;

	if (!draftp)
		return fail(-EINVAL, "create: no place for the draft");
	r = order_take(&order, options, size, NULL);
	if (r < 0)
		return r;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	r = begin(conn, &order, size, &object);
	if (r == 0 && size > 0) {
		r = map_draft(object->draft->fd, size, &object->draft->data);
		if (r < 0) {
			draft_end(object);
			objects_drop(object);
			(void)call_flush(conn);
			r = fail(-ENOMEM, "create of %s: mapping %llu bytes: %s", order.hex,
				(unsigned long long)size, strerror(-r));
		}
	}
	connection_leave(conn);
	if (r == 0)
		*draftp = object;
	return r;
}

void *ostore_buffer(struct ostore_object *draft)
{
	struct view *view;

	if (!draft)
		return NULL;
	if (draft_is_open(draft))
		return draft->draft->foreign ? NULL : draft->draft->data;
	view = atomic_load_explicit(&draft->view, memory_order_acquire);
	return view && view->writable ? view->data : NULL;
}

/* Lock held.  May this handle be sealed now? */
static int check_sealable(const struct ostore_object *object, const char *hex)
{
	if (!draft_is_open(object))
		return fail(-EINVAL, "seal of %s: it is sealed already", hex);
	if (object->draft->foreign)
		return fail(-EINVAL, "seal of %s: the draft belongs to the process that forked this one",
			hex);
	if (object->draft->joined)
		return fail(-EINVAL, "seal of %s: the draft belongs to the process that shared it; "
			"release it here, and seal it there", hex);
	if (object->draft->sealing)
		return fail(-EINVAL, "seal of %s: another thread is sealing it", hex);
	return 0;
}

int ostore_seal(struct ostore_object *object, bool keep_view)
{
	return ostore_seal_shared(object, keep_view, OSTORE_FOREVER);
}

int ostore_seal_shared(struct ostore_object *object, bool keep_view, int64_t timeout)
{
	char hex[ID128_TEXT_SIZE];
	struct ostore *conn;
	struct draft *draft;
	int r;

	if (!object)
		return fail(-EINVAL, "seal: no draft");
	if (timeout < 0)
		return fail(-EINVAL, "a timeout of %lld ns: it must not be negative",
			(long long)timeout);
	conn = object->conn;
	(void)id128_format(&object->entry->id, hex);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	r = check_sealable(object, hex);
	if (r < 0) {
		connection_leave(conn);
		return r;
	}
	draft = object->draft;
	draft->sealing = true;
	if (draft->data) {
		r = map_over(draft->fd, draft->size, draft->data,
			keep_view ? PROT_READ | PROT_WRITE : PROT_NONE);
		if (r < 0)
			r = fail(r, "seal of %s: replacing its mapping: %s", hex, strerror(-r));
	}
	if (r == 0) {
		r = seal(object, timeout);
		/* Writable again; or, if the memfd was sealed before things went wrong,
		 * at least readable. */
		if (r < 0 && draft->data &&
			map_draft_again(draft->fd, draft->size, draft->data) < 0)
			(void)map_over(draft->fd, draft->size, draft->data, PROT_READ | PROT_WRITE);
	}
	draft->sealing = false;
	if (r == 0 && !(keep_view && draft->data))
		draft_end(object);
	connection_leave(conn);
	return r;
}

int ostore_abort(struct ostore_object *draft)
{
	char hex[ID128_TEXT_SIZE];

	if (!draft)
		return 0;
	if (!draft_is_open(draft))
		return fail(-EINVAL, "abort of %s: it is sealed already; release or delete it",
			id128_format(&draft->entry->id, hex));
	ostore_release(draft);
	return 0;
}

/* ---- public: copies ---- */

/* Lock held, dropped while waiting. */
static int put_inline(struct ostore *conn, const struct order *order, const void *data, uint32_t size,
	struct ostore_object **objectp)
{
	struct waiter waiter = WAITER_INIT;
	struct call *call = order_call(order, WIRE_PUT, size, &waiter);
	int r;

	if (!call)
		return fail_memory();
	call->item.data = size > 0 ? data : NULL;
	call->item.data_size = size;
	r = call_one(conn, call, CALL_INTERRUPTIBLE, "put of %s", order->hex);
	if (r == 0 && call->n_grants != 1)
		r = fail(-EPROTO, "put of %s: the broker's answer lacks it", order->hex);
	if (r == 0 && objectp) {
		r = objects_describe(call->grants[0].entry, size, conn->uid, 0, order->metadata,
			order->metadata_size);
		if (r == 0)
			r = objects_take(conn, &call->grants[0], objectp);
		if (r < 0)
			(void)fail_memory();
	}
	call_end(conn, call);
	return r;
}

int order_put_draft(struct ostore *conn, const struct order *order, uint64_t size,
	const struct iovec *pieces, size_t n, struct ostore_object **objectp)
{
	struct ostore_object *object;
	int r = begin(conn, order, size, &object), fd;
	unsigned int wanted, helpers;

	if (r < 0)
		return r;
	fd = object->draft->fd;
	helpers = wanted = conn->helpless_puts ? 0 : pieces_helpers(size);
	pthread_mutex_unlock(&conn->lock);
	r = fill(conn, fd, size, pieces, n, &helpers);
	pthread_mutex_lock(&conn->lock);
	if (wanted > 0 && helpers == 0) /* other threads need the CPUs */
		conn->helpless_puts = HELPLESS_PUTS;
	else if (conn->helpless_puts > 0)
		conn->helpless_puts--;
	if (r < 0)
		r = fail(r, "put of %s: writing %llu bytes: %s", order->hex, (unsigned long long)size,
			strerror(-r));
	else
		r = seal(object, 0);
	draft_end(object);
	if (r == 0 && objectp) {
		*objectp = object;
	} else {
		objects_drop(object);
		(void)call_flush(conn);
	}
	return r;
}

int ostore_putv(struct ostore *conn, const struct iovec *pieces, size_t n,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	CLEANUP_FREE void *gathered = NULL;
	const void *data;
	CLEANUP_ORDER struct order order = ORDER_INIT;
	uint64_t size;
	int r;

	r = pieces_size(pieces, n, &size);
	if (r < 0)
		return r;
	r = order_take(&order, options, size, NULL);
	if (r < 0)
		return r;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	if (size > conn->inline_max) {
		r = order_put_draft(conn, &order, size, pieces, n, objectp);
	} else {
		data = n > 0 ? pieces[0].iov_base : NULL;
		if (n > 1) {
			data = gathered = malloc(size + 1);
			if (gathered)
				pieces_copy(gathered, pieces, n);
		}
		r = n > 1 && !gathered ? fail_memory() :
					 put_inline(conn, &order, data, (uint32_t)size, objectp);
	}
	connection_leave(conn);
	return r;
}

int ostore_put(struct ostore *conn, const void *data, uint64_t size,
	const struct ostore_put_options *options, struct ostore_object **objectp)
{
	struct iovec piece = { .iov_base = (void *)data, .iov_len = size };

	return ostore_putv(conn, &piece, 1, options, objectp);
}

int ostore_put_fd(struct ostore *conn, int fd, const struct ostore_put_options *options,
	struct ostore_object **objectp)
{
	struct waiter waiter = WAITER_INIT;
	CLEANUP_ORDER struct order order = ORDER_INIT;
	struct call *call;
	struct stat st;
	int seals, r;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return fail(-errno, "put_fd: descriptor %d is %s", fd,
			errno == EBADF ? "not open" : "no memfd; make one with memfd_create(2)");
	if ((seals & SEALS) != SEALS)
		return fail(-EPERM, "put_fd: memfd %d lacks seals; add F_SEAL_WRITE, F_SEAL_GROW, "
			"F_SEAL_SHRINK and F_SEAL_SEAL", fd);
	if (fstat(fd, &st) < 0)
		return fail(-errno, "put_fd: descriptor %d: %s", fd, strerror(errno));
	r = order_take(&order, options, (uint64_t)st.st_size, NULL);
	if (r < 0)
		return r;
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = order_call(&order, WIRE_PUT_FD, (uint64_t)st.st_size, &waiter);
	if (!call) {
		r = fail_memory();
	} else {
		call->fd = fd;
		r = call_one(conn, call, CALL_INTERRUPTIBLE, "put_fd of %s", order.hex);
		if (r == 0 && call->n_grants != 1)
			r = fail(-EPROTO, "put_fd of %s: the broker's answer lacks it", order.hex);
		if (r == 0 && objectp) {
			r = objects_describe(call->grants[0].entry, (uint64_t)st.st_size, conn->uid, 0,
				order.metadata, order.metadata_size);
			if (r == 0)
				r = objects_take(conn, &call->grants[0], objectp);
			if (r < 0)
				(void)fail_memory();
		}
		call_end(conn, call);
	}
	connection_leave(conn);
	return r;
}
