/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of objects besides their bytes: checks, and changing it afterwards. */
#include "client/attributes.h"

#include <errno.h>
#include <ostore.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/error.h"
#include "util/cleanup.h"
#include "wire/labels.h"

_Static_assert(OSTORE_PRIORITY_MAX == WIRE_PRIORITY_MAX && OSTORE_LABELS_MAX == WIRE_LABELS_MAX,
	"limits are handed on");

int texts_join(const char *const *texts, size_t n, char **joinedp, uint32_t *sizep)
{
	size_t size = 0;
	char *at;

	*joinedp = NULL;
	*sizep = 0;
	if (n > 0 && !texts)
		return fail(-EINVAL, "labels: %zu of them at a null pointer", n);
	for (size_t i = 0; i < n; i++) {
		if (!texts[i])
			return fail(-EINVAL, "labels: number %zu is a null pointer", i);
		size += strlen(texts[i]) + 1;
		if (size > WIRE_LABELS_SIZE_MAX)
			return fail(-EINVAL, "labels: more than %d bytes in all", WIRE_LABELS_SIZE_MAX);
	}
	if (n == 0)
		return 0;
	at = *joinedp = malloc(size);
	if (!at)
		return fail_memory();
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, texts[i]) + 1;
	*sizep = (uint32_t)size;
	return 0;
}

int labels_join(const char *const *labels, size_t n, char **joinedp, uint32_t *sizep)
{
	int r = texts_join(labels, n, joinedp, sizep);
	const char *fault;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		fault = labels_check(labels[i], strlen(labels[i]) + 1);
		if (fault) {
			free(TAKE_PTR(*joinedp));
			return fail(-EINVAL, "label \"%s\": %s", labels[i], fault);
		}
	}
	fault = labels_check(*joinedp, *sizep);
	if (!fault)
		return 0;
	free(TAKE_PTR(*joinedp));
	return fail(-EINVAL, "labels: %s", fault);
}

int check_priority(int priority)
{
	if (priority >= -OSTORE_PRIORITY_MAX && priority <= OSTORE_PRIORITY_MAX)
		return 0;
	return fail(-EINVAL, "a priority of %d: it is from %d to %d", priority,
		-OSTORE_PRIORITY_MAX, OSTORE_PRIORITY_MAX);
}

/* ---- set ---- */

static int check_changes(const struct ostore_changes *changes, struct ostore_changes *known)
{
	*known = (struct ostore_changes){ .size = 0 };
	if (!changes)
		return fail(-EINVAL, "set: no changes");
	if (changes->size < sizeof changes->size)
		return fail(-EINVAL, "changes: size is not set");
	memcpy(known, changes, MIN(changes->size, sizeof *known));
	if (known->set_ttl && known->ttl < 0)
		return fail(-EINVAL, "a time to live of %lld ns: it must not be negative",
			(long long)known->ttl);
	if (known->pin && known->unpin)
		return fail(-EINVAL, "set: pin and unpin at once");
	return known->set_priority ? check_priority(known->priority) : 0;
}

int ostore_set(struct ostore *conn, const ostore_id *id, const struct ostore_changes *changes)
{
	CLEANUP_FREE char *labels = NULL, *unlabel = NULL;
	struct waiter waiter = WAITER_INIT;
	struct ostore_changes known;
	struct wire_item item = { .flags = 0 };
	char hex[ID128_TEXT_SIZE];
	struct call *call;
	int r;

	if (!id)
		return fail(-EINVAL, "set: no id");
	r = check_changes(changes, &known);
	if (r == 0)
		r = labels_join(known.labels, known.n_labels, &labels, &item.labels_size);
	if (r == 0)
		r = texts_join(known.unlabel, known.n_unlabel, &unlabel, &item.unlabel_size);
	if (r < 0)
		return r;
	memcpy(&item.id, id, sizeof item.id);
	item.labels = labels;
	item.unlabel = unlabel;
	item.priority = known.set_priority ? known.priority : 0;
	item.ttl_ns = known.set_ttl ? known.ttl : 0;
	item.flags = (known.set_priority ? WIRE_ITEM_PRIORITY : 0) |
		(known.set_ttl ? WIRE_ITEM_TTL : 0) | (known.pin ? WIRE_ITEM_PIN : 0) |
		(known.unpin ? WIRE_ITEM_UNPIN : 0);
	r = connection_enter(conn);
	if (r < 0)
		return r;
	call = call_new(WIRE_SET, 0, &waiter);
	if (call) {
		call_set_item(call);
		call->item = item;
		r = call_one(conn, call, CALL_PATIENT, "set of %s", id128_format(&item.id, hex));
		call_end(conn, call);
	} else {
		r = fail_memory();
	}
	connection_leave(conn);
	return r;
}
