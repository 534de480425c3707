/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c - requests that an event loop waits for, and subscriptions to events
 *
 * A Request keeps itself alive while it is under way: the library knows it by its
 * address.  dispatch() hands that reference to whoever it reports the request to.
 */
#include "module.h"

#include <errno.h>
#include <string.h>

#define REPORTS 64 /* of one call of the library */

enum kind { KIND_GET, KIND_WAIT, KIND_EVENT };

struct request {
	PyObject_HEAD
	struct connection *connection;
	struct ostore_request *request; /* NULL: ended */
	PyObject *user;                 /* who waits */
	PyObject *subscription;         /* EVENT */
	enum kind kind;
	Py_ssize_t n;
	bool writable;
};

struct subscription {
	PyObject_HEAD
	struct connection *connection;
	struct ostore_subscription *subscription; /* NULL: closed */
	unsigned int n_calls;                     /* waiting in it */
};

static struct request *request_new(struct connection *connection, enum kind kind, PyObject *user)
{
	PyTypeObject *type = module_state_of((PyObject *)connection)->request_type;
	allocfunc tp_alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct request *request = (struct request *)tp_alloc(type, 0);

	if (!request)
		return NULL;
	Py_INCREF((PyObject *)connection);
	request->connection = connection;
	Py_INCREF(user);
	request->user = user;
	request->kind = kind;
	return request;
}

/* ---- results ---- */

static PyObject *event_dict(const struct ostore_event *event)
{
	const char *name = ostore_event_name(event->type);
	unsigned long long seq = event->seq;
	char hex[33];

	if (event->type == OSTORE_EVENT_OVERRUN)
		return Py_BuildValue("{s:K,s:s,s:O,s:O,s:O,s:K}", "seq", seq, "event", name, "id",
			Py_None, "size", Py_None, "time_ns", Py_None, "lost",
			(unsigned long long)event->lost);
	return Py_BuildValue("{s:K,s:s,s:s,s:K,s:L}", "seq", seq, "event", name, "id",
		ostore_id_format(&event->id, hex), "size", (unsigned long long)event->size,
		"time_ns", (long long)event->time_ns);
}

static PyObject *end_get(struct request *request, struct ostore_request *inner)
{
	struct ostore_object **handles = PyMem_Calloc((size_t)request->n + 1, sizeof(*handles));
	PyObject *result = NULL;
	int r;

	if (!handles)
		return PyErr_NoMemory();
	Py_BEGIN_ALLOW_THREADS
	r = ostore_get_end(inner, handles);
	Py_END_ALLOW_THREADS
	if (r < 0)
		raise_error(module_state_of((PyObject *)request), r);
	else
		result = list_of_objects(request->connection, handles, request->n, request->writable);
	PyMem_Free(handles);
	return result;
}

static PyObject *end_wait(struct request *request, struct ostore_request *inner)
{
	bool *ready = PyMem_Calloc((size_t)request->n + 1, sizeof(*ready));
	PyObject *result = NULL;
	int r;

	if (!ready)
		return PyErr_NoMemory();
	r = ostore_wait_end(inner, ready);
	if (r < 0)
		raise_error(module_state_of((PyObject *)request), r);
	else
		result = PyBytes_FromStringAndSize((const char *)ready, request->n);
	PyMem_Free(ready);
	return result;
}

static PyObject *end_event(struct request *request, struct ostore_request *inner)
{
	struct ostore_event event;
	int r = ostore_next_event_end(inner, &event);

	if (r < 0)
		return raise_error(module_state_of((PyObject *)request), r);
	return event_dict(&event);
}

static PyObject *request_end(PyObject *self, PyObject *unused)
{
	struct request *request = (struct request *)self;
	struct ostore_request *inner = request->request;

	if (!inner) {
		PyErr_SetString(PyExc_ValueError, "the request was ended");
		return NULL;
	}
	request->request = NULL;
	switch (request->kind) {
	case KIND_GET:
		return end_get(request, inner);
	case KIND_WAIT:
		return end_wait(request, inner);
	case KIND_EVENT:
		return end_event(request, inner);
	}
	return NULL;
}

static PyObject *request_cancel(PyObject *self, PyObject *unused)
{
	struct request *request = (struct request *)self;

	if (request->request) {
		Py_BEGIN_ALLOW_THREADS
		ostore_cancel(request->request);
		Py_END_ALLOW_THREADS
	}
	Py_RETURN_NONE;
}

/* It was reported, or done at once, and nobody wanted the result. */
static void request_dealloc(PyObject *self)
{
	struct request *request = (struct request *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc tp_free = (freefunc)PyType_GetSlot(type, Py_tp_free);
	PyObject *error_type, *value, *traceback;

	if (request->request) {
		PyErr_Fetch(&error_type, &value, &traceback);
		Py_XDECREF(request_end(self, NULL));
		PyErr_Clear();
		PyErr_Restore(error_type, value, traceback);
	}
	Py_XDECREF(request->user);
	Py_XDECREF(request->subscription);
	Py_XDECREF((PyObject *)request->connection);
	tp_free(self);
	Py_DECREF(type);
}

static PyObject *request_get_user(PyObject *self, void *unused)
{
	PyObject *user = ((struct request *)self)->user;

	Py_INCREF(user);
	return user;
}

static PyMethodDef request_methods[] = {
	{"end", request_end, METH_NOARGS,
		"end() -> object\n\nThe result of a request that dispatch() reported (ostore_get_end)."},
	{"cancel", request_cancel, METH_NOARGS,
		"cancel() -> None\n\nGive it up; it is reported soon (ostore_cancel)."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef request_getset[] = {
	{"user", request_get_user, NULL, "who waits for it (ostore_request_user)", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot request_slots[] = {
	{Py_tp_doc, (void *)"A get, wait or fetch of events that is under way."},
	{Py_tp_dealloc, request_dealloc},
	{Py_tp_methods, request_methods},
	{Py_tp_getset, request_getset},
	{0, NULL},
};

PyType_Spec request_spec = {
	.name = "ostore._ostore.Request",
	.basicsize = sizeof(struct request),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = request_slots,
};

/* ---- begin ---- */

/* r: of a ..._begin().  Return: the request, its result if it has one already, or NULL; takes
 * the reference to it. */
static PyObject *begun(struct request *request, int r)
{
	PyObject *result = NULL;

	if (r == 0) {
		Py_INCREF((PyObject *)request); /* the library's */
		return (PyObject *)request;
	}
	if (r == 1)
		result = request_end((PyObject *)request, NULL);
	else
		raise_error(module_state_of((PyObject *)request), r);
	Py_DECREF((PyObject *)request);
	return result;
}

PyObject *connection_get_begin(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_request *inner = NULL;
	PyObject *result = NULL, *user;
	struct request *request;
	struct ostore *ostore;
	unsigned int flags;
	long long timeout;
	Py_buffer ids;
	int r;

	if (!PyArg_ParseTuple(args, "y*LIO:get_begin", &ids, &timeout, &flags, &user))
		return NULL;
	ostore = connection_enter(connection);
	request = ostore ? request_new(connection, KIND_GET, user) : NULL;
	if (request) {
		request->n = ids.len / ID_SIZE;
		request->writable = flags & OSTORE_GET_COW;
		/* The GIL stays: who reports the request must find it complete. */
		r = ostore_get_begin(ostore, ids.buf, (size_t)request->n, timeout, flags, request,
			&inner);
		request->request = r >= 0 ? inner : NULL;
		result = begun(request, r);
	}
	if (ostore)
		connection_leave(connection);
	PyBuffer_Release(&ids);
	return result;
}

PyObject *connection_wait_begin(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_request *inner = NULL;
	PyObject *result = NULL, *user;
	struct request *request;
	unsigned long long num;
	struct ostore *ostore;
	long long timeout;
	Py_buffer ids;
	int r;

	if (!PyArg_ParseTuple(args, "y*KLO:wait_begin", &ids, &num, &timeout, &user))
		return NULL;
	ostore = connection_enter(connection);
	request = ostore ? request_new(connection, KIND_WAIT, user) : NULL;
	if (request) {
		request->n = ids.len / ID_SIZE;
		r = ostore_wait_begin(ostore, ids.buf, (size_t)request->n, num, timeout, request, &inner);
		request->request = r >= 0 ? inner : NULL;
		result = begun(request, r);
	}
	if (ostore)
		connection_leave(connection);
	PyBuffer_Release(&ids);
	return result;
}

PyObject *connection_poll_fd(PyObject *self, PyObject *unused)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore = connection_enter(connection);
	int r;

	if (!ostore)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_poll_fd(ostore);
	Py_END_ALLOW_THREADS
	if (r < 0)
		raise_error(module_state_of(self), r);
	connection_leave(connection);
	return r < 0 ? NULL : PyLong_FromLong(r);
}

PyObject *connection_dispatch(PyObject *self, PyObject *unused)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore = connection_enter(connection);
	struct ostore_request *reported[REPORTS];
	PyObject *list = ostore ? PyList_New(0) : NULL;
	size_t n = REPORTS;

	if (!ostore)
		return NULL;
	while (list && n == REPORTS) {
		Py_BEGIN_ALLOW_THREADS
		n = ostore_dispatch(ostore, reported, REPORTS);
		Py_END_ALLOW_THREADS
		for (size_t i = 0; i < n; i++) {
			PyObject *request = ostore_request_user(reported[i]);

			if (list && PyList_Append(list, request) < 0)
				Py_CLEAR(list);
			Py_DECREF(request); /* the library's */
		}
	}
	connection_leave(connection);
	return list;
}

/* ---- events ---- */

PyObject *connection_subscribe(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	PyTypeObject *type = module_state_of(self)->subscription_type;
	allocfunc tp_alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct ostore_subscription *inner = NULL;
	struct subscription *subscription;
	unsigned long long since;
	struct ostore *ostore;
	int r;

	if (!PyArg_ParseTuple(args, "K:subscribe", &since))
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_subscribe(ostore, since, &inner);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(connection);
	if (r < 0)
		return NULL;
	subscription = (struct subscription *)tp_alloc(type, 0);
	if (!subscription) {
		ostore_unsubscribe(inner);
		return NULL;
	}
	Py_INCREF(self);
	subscription->connection = connection;
	subscription->subscription = inner;
	return (PyObject *)subscription;
}

/* For one caller at a time; NULL and an exception if there is another, or it is closed. */
static struct ostore_subscription *subscription_enter(struct subscription *subscription)
{
	if (!subscription->subscription || subscription->n_calls > 0) {
		PyErr_SetString(PyExc_ValueError, subscription->subscription
			? "somebody waits for the next event already" : "the events were closed");
		return NULL;
	}
	if (!connection_enter(subscription->connection))
		return NULL;
	subscription->n_calls++;
	return subscription->subscription;
}

static void subscription_leave(struct subscription *subscription)
{
	subscription->n_calls--;
	connection_leave(subscription->connection);
}

static PyObject *subscription_next(PyObject *self, PyObject *args)
{
	struct subscription *subscription = (struct subscription *)self;
	struct ostore_subscription *inner;
	struct ostore_event event;
	PyObject *result = NULL;
	long long timeout;
	int64_t deadline;
	int r;

	if (!PyArg_ParseTuple(args, "L:next", &timeout))
		return NULL;
	inner = subscription_enter(subscription);
	if (!inner)
		return NULL;
	deadline = deadline_after(timeout);
	do {
		int64_t left = deadline_left(deadline);

		Py_BEGIN_ALLOW_THREADS
		r = ostore_next_event(inner, left, &event);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r == 0)
		result = event_dict(&event);
	else if (!PyErr_Occurred())
		raise_error(module_state_of(self), r);
	subscription_leave(subscription);
	return result;
}

static PyObject *subscription_next_begin(PyObject *self, PyObject *args)
{
	struct subscription *subscription = (struct subscription *)self;
	struct ostore_request *inner_request = NULL;
	struct ostore_subscription *inner;
	PyObject *result = NULL, *user;
	struct request *request;
	long long timeout;
	int r;

	if (!PyArg_ParseTuple(args, "LO:next_begin", &timeout, &user))
		return NULL;
	inner = subscription_enter(subscription);
	if (!inner)
		return NULL;
	request = request_new(subscription->connection, KIND_EVENT, user);
	if (request) {
		Py_INCREF(self); /* it writes into the subscription */
		request->subscription = self;
		r = ostore_next_event_begin(inner, timeout, request, &inner_request);
		request->request = r >= 0 ? inner_request : NULL;
		result = begun(request, r);
	}
	subscription_leave(subscription);
	return result;
}

static PyObject *subscription_close(PyObject *self, PyObject *unused)
{
	struct subscription *subscription = (struct subscription *)self;
	struct ostore_subscription *inner = subscription->subscription;

	if (inner && subscription->n_calls > 0) {
		PyErr_SetString(PyExc_ValueError, "a thread waits for the next event");
		return NULL;
	}
	subscription->subscription = NULL;
	Py_BEGIN_ALLOW_THREADS
	ostore_unsubscribe(inner);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static void subscription_dealloc(PyObject *self)
{
	struct subscription *subscription = (struct subscription *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc tp_free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	ostore_unsubscribe(subscription->subscription);
	Py_XDECREF((PyObject *)subscription->connection);
	tp_free(self);
	Py_DECREF(type);
}

static PyMethodDef subscription_methods[] = {
	{"next", subscription_next, METH_VARARGS,
		"next(timeout, /) -> dict\n\nThe next event (ostore_next_event)."},
	{"next_begin", subscription_next_begin, METH_VARARGS,
		"next_begin(timeout, user, /) -> Request | dict\n\n"
		"Ask for it, without waiting (ostore_next_event_begin)."},
	{"close", subscription_close, METH_NOARGS,
		"close() -> None\n\nEnd the subscription (ostore_unsubscribe)."},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot subscription_slots[] = {
	{Py_tp_doc, (void *)"A place in the sequence of events."},
	{Py_tp_dealloc, subscription_dealloc},
	{Py_tp_methods, subscription_methods},
	{0, NULL},
};

PyType_Spec subscription_spec = {
	.name = "ostore._ostore.Subscription",
	.basicsize = sizeof(struct subscription),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = subscription_slots,
};
