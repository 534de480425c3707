/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c - struct ostore as a Python object
 *
 * Each method is one call of libostore.  The GIL is released around it.  When a
 * signal interrupts it, Python's handlers run: if they raise (Ctrl-C), the
 * exception ends the call, otherwise it goes on with the time that is left.
 *
 * Ids are bytes of 16, or of 16 times n; times are ns.
 */
#include "module.h"

#include <string.h>

/* ---- life ---- */

struct ostore *connection_enter(struct connection *connection)
{
	struct module_state *state = module_state_of((PyObject *)connection);
	PyObject *type;

	if (connection->ostore && !connection->closing) {
		connection->n_calls++;
		return connection->ostore;
	}
	type = PyObject_GetAttrString(state->errors, "BrokerUnavailable");
	if (type) {
		PyErr_SetString(type, "the connection was closed by shutdown() or close(); "
				      "ostore.init() opens one");
		Py_DECREF(type);
	}
	return NULL;
}

static void close_if_unused(struct connection *connection)
{
	struct ostore *ostore = connection->ostore;

	if (!connection->closing || connection->n_calls > 0 || !ostore)
		return;
	connection->ostore = NULL;
	Py_BEGIN_ALLOW_THREADS
	ostore_close(ostore);
	Py_END_ALLOW_THREADS
}

void connection_leave(struct connection *connection)
{
	PyObject *type, *value, *traceback;

	connection->n_calls--;
	if (!connection->closing)
		return;
	PyErr_Fetch(&type, &value, &traceback);
	close_if_unused(connection);
	PyErr_Restore(type, value, traceback);
}

static PyObject *connection_create_instance(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	struct module_state *state = PyType_GetModuleState(type);
	struct connection *connection;
	struct ostore *ostore = NULL;
	const char *address = NULL;
	allocfunc tp_alloc;
	int r;

	if (kwargs && PyDict_Size(kwargs) > 0) {
		PyErr_SetString(PyExc_TypeError, "Connection() takes no keyword arguments");
		return NULL;
	}
	if (!PyArg_ParseTuple(args, "|z:Connection", &address))
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_connect(&ostore, address, NULL);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0) {
		if (PyErr_Occurred())
			return NULL;
		/* Nobody waits for an object here: a mute broker is no broker. */
		return raise_error(state, r == -OSTORE_ETIMEOUT ? -OSTORE_EUNAVAILABLE : r);
	}
	tp_alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	connection = (struct connection *)tp_alloc(type, 0);
	if (!connection) {
		ostore_close(ostore);
		return NULL;
	}
	connection->ostore = ostore;
	return (PyObject *)connection;
}

static void connection_dealloc(PyObject *self)
{
	struct connection *connection = (struct connection *)self;
	PyTypeObject *type = Py_TYPE(self);
	freefunc tp_free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	connection->closing = true;
	close_if_unused(connection);
	tp_free(self);
	Py_DECREF(type);
}

static PyObject *connection_close(PyObject *self, PyObject *unused)
{
	struct connection *connection = (struct connection *)self;

	/* What waits in other threads is woken; the last to leave closes. */
	if (!connection->closing && connection->n_calls > 0) {
		struct ostore *ostore = connection_enter(connection);

		connection->closing = true;
		Py_BEGIN_ALLOW_THREADS
		ostore_shutdown(ostore);
		Py_END_ALLOW_THREADS
		connection_leave(connection);
		Py_RETURN_NONE;
	}
	connection->closing = true;
	close_if_unused(connection);
	Py_RETURN_NONE;
}

static PyObject *connection_get_address(PyObject *self, void *unused)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore = connection_enter(connection);
	PyObject *address;

	if (!ostore)
		return NULL;
	address = PyUnicode_DecodeFSDefault(ostore_address(ostore));
	connection_leave(connection);
	return address;
}

static PyObject *connection_get_closed(PyObject *self, void *unused)
{
	struct connection *connection = (struct connection *)self;

	return PyBool_FromLong(!connection->ostore || connection->closing);
}

/* ---- arguments ---- */

int parse_id(ostore_id *id, const char *bytes, Py_ssize_t size)
{
	if (size != ID_SIZE) {
		PyErr_SetString(PyExc_ValueError, "an id is 16 bytes");
		return -1;
	}
	memcpy(id->bytes, bytes, ID_SIZE);
	return 0;
}

/* The result of a call that made a handle: its Python object, or the exception. */
PyObject *finish_object(struct connection *connection, int r, struct ostore_object *handle)
{
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of((PyObject *)connection), r);
	connection_leave(connection);
	return r < 0 ? NULL : object_new(connection, handle);
}

/* ---- reading ---- */

PyObject *list_of_objects(struct connection *connection, struct ostore_object **handles,
	Py_ssize_t n, bool writable)
{
	PyObject *list = PyList_New(n);

	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *object = NULL;

		if (list)
			object = object_new_view(connection, handles[i], writable);
		else
			ostore_release(handles[i]);
		if (list && (!object || PyList_SetItem(list, i, object) < 0))
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *connection_get(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_object **handles;
	PyObject *result = NULL;
	struct ostore *ostore;
	unsigned int flags;
	long long timeout;
	int64_t deadline;
	Py_buffer ids;
	size_t n;
	int r;

	if (!PyArg_ParseTuple(args, "y*LI:get", &ids, &timeout, &flags))
		return NULL;
	n = (size_t)ids.len / ID_SIZE;
	handles = PyMem_Calloc(n + 1, sizeof(*handles));
	if (!handles) {
		PyErr_NoMemory();
		goto out;
	}
	ostore = connection_enter(connection);
	if (!ostore)
		goto out;
	deadline = deadline_after(timeout);
	do {
		int64_t left = deadline_left(deadline);

		Py_BEGIN_ALLOW_THREADS
		r = ostore_get(ostore, ids.buf, n, left, flags, handles);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(connection);
	if (r >= 0)
		result = list_of_objects(connection, handles, (Py_ssize_t)n, flags & OSTORE_GET_COW);
out:
	PyMem_Free(handles);
	PyBuffer_Release(&ids);
	return result;
}

static PyObject *connection_wait(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	PyObject *result = NULL;
	unsigned long long num;
	struct ostore *ostore;
	long long timeout;
	int64_t deadline;
	Py_buffer ids;
	bool *ready;
	size_t n;
	int r;

	if (!PyArg_ParseTuple(args, "y*KL:wait", &ids, &num, &timeout))
		return NULL;
	n = (size_t)ids.len / ID_SIZE;
	ready = PyMem_Calloc(n + 1, sizeof(*ready));
	if (!ready) {
		PyErr_NoMemory();
		goto out;
	}
	ostore = connection_enter(connection);
	if (!ostore)
		goto out;
	deadline = deadline_after(timeout);
	do {
		int64_t left = deadline_left(deadline);

		Py_BEGIN_ALLOW_THREADS
		r = ostore_wait(ostore, ids.buf, n, num, left, ready);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(connection);
	if (r >= 0)
		result = PyBytes_FromStringAndSize((const char *)ready, (Py_ssize_t)n);
out:
	PyMem_Free(ready);
	PyBuffer_Release(&ids);
	return result;
}

/* ---- references that travel, names, deletion ---- */

/* (id, token): of a reference or a draft that another process sent. */
static int parse_journey(ostore_id *id, ostore_token *token, PyObject *args)
{
	const char *id_bytes, *token_bytes;
	Py_ssize_t id_size, token_size;

	if (!PyArg_ParseTuple(args, "y#y#", &id_bytes, &id_size, &token_bytes, &token_size) ||
		parse_id(id, id_bytes, id_size) < 0)
		return -1;
	if (token_size != sizeof(token->bytes)) {
		PyErr_SetString(PyExc_ValueError, "a token is 16 bytes");
		return -1;
	}
	memcpy(token->bytes, token_bytes, sizeof(token->bytes));
	return 0;
}

static PyObject *connection_import(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_object *handle = NULL;
	struct ostore *ostore;
	ostore_token token;
	ostore_id id;
	int r;

	if (parse_journey(&id, &token, args) < 0)
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_import_begin(ostore, &id, &token, &handle);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	return finish_object(connection, r, handle);
}

static PyObject *connection_join(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_object *handle = NULL;
	struct ostore *ostore;
	ostore_token token;
	ostore_id id;
	int r;

	if (parse_journey(&id, &token, args) < 0)
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_join(ostore, &id, &token, &handle);
	Py_END_ALLOW_THREADS
	if (r < 0)
		(void)raise_error(module_state_of(self), r);
	connection_leave(connection);
	return r < 0 ? NULL : draft_new(connection, handle);
}

static PyObject *connection_lookup(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_object *handle = NULL;
	struct ostore *ostore;
	const char *name;
	int r;

	if (!PyArg_ParseTuple(args, "s:lookup", &name))
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_lookup(ostore, name, &handle);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	return finish_object(connection, r, handle);
}

static PyObject *connection_flush(PyObject *self, PyObject *unused)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore = connection_enter(connection);

	if (!ostore)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	(void)ostore_flush(ostore); /* what it was for fails by itself */
	Py_END_ALLOW_THREADS
	connection_leave(connection);
	Py_RETURN_NONE;
}

/* The result of a call that made nothing. */
static PyObject *finish_none(struct connection *connection, int r)
{
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of((PyObject *)connection), r);
	connection_leave(connection);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *connection_hold(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	const char *name, *id_bytes;
	struct ostore *ostore;
	Py_ssize_t id_size;
	ostore_id id;
	int r;

	if (!PyArg_ParseTuple(args, "sy#:hold", &name, &id_bytes, &id_size) ||
		parse_id(&id, id_bytes, id_size) < 0)
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_hold(ostore, name, &id);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	return finish_none(connection, r);
}

static PyObject *connection_unhold(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore;
	const char *name;
	int r;

	if (!PyArg_ParseTuple(args, "s:unhold", &name))
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_unhold(ostore, name);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	return finish_none(connection, r);
}

static PyObject *connection_configure(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore;
	const char *key, *value;
	int r;

	if (!PyArg_ParseTuple(args, "ss:configure", &key, &value))
		return NULL;
	ostore = connection_enter(connection);
	if (!ostore)
		return NULL;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_configure(ostore, key, value);
	Py_END_ALLOW_THREADS
	return finish_none(connection, r);
}

static PyObject *connection_delete(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	PyObject *result = NULL;
	struct ostore *ostore;
	Py_buffer ids;
	int r;

	if (!PyArg_ParseTuple(args, "y*:delete", &ids))
		return NULL;
	ostore = connection_enter(connection);
	if (ostore) {
		do {
			Py_BEGIN_ALLOW_THREADS
			r = ostore_delete(ostore, ids.buf, (size_t)ids.len / ID_SIZE, NULL);
			Py_END_ALLOW_THREADS
		} while (r == -EINTR && PyErr_CheckSignals() == 0);
		result = finish_none(connection, r);
	}
	PyBuffer_Release(&ids);
	return result;
}

static PyMethodDef connection_methods[] = {
	{"close", connection_close, METH_NOARGS,
		"close() -> None\n\nEnd the connection, and the calls that are under way (ostore_shutdown, ostore_close)."},
	{"put", connection_put, METH_VARARGS,
		"put(pieces, id, name, metadata, mode, timeout, attributes, /) -> Object\n\n"
		"Copy a list of buffers, each to a multiple of ALIGN (ostore_put, ostore_putv)."},
	{"put_many", connection_put_many, METH_VARARGS,
		"put_many(values, mode, timeout, attributes, /) -> list[Object]\n\n"
		"Many puts at once, of (metadata, pieces) each (ostore_put_many)."},
	{"create", connection_create, METH_VARARGS,
		"create(size, id, name, metadata, mode, timeout, attributes, /) -> Draft\n\n"
		"Begin an object that is written in place (ostore_create)."},
	{"get", connection_get, METH_VARARGS,
		"get(ids, timeout, flags, /) -> list[Object]\n\n"
		"References to objects, and their mappings (ostore_get)."},
	{"wait", connection_wait, METH_VARARGS,
		"wait(ids, num, timeout, /) -> bytes\n\n"
		"Wait for num objects; a byte for each tells whether it is there (ostore_wait)."},
	{"get_begin", connection_get_begin, METH_VARARGS,
		"get_begin(ids, timeout, flags, user, /) -> Request | list[Object]\n\n"
		"Ask for objects, and do not wait (ostore_get_begin)."},
	{"wait_begin", connection_wait_begin, METH_VARARGS,
		"wait_begin(ids, num, timeout, user, /) -> Request\n\n"
		"Ask which objects are there, and do not wait (ostore_wait_begin)."},
	{"poll_fd", connection_poll_fd, METH_NOARGS,
		"poll_fd() -> int\n\nReadable when dispatch() has something to do (ostore_poll_fd)."},
	{"dispatch", connection_dispatch, METH_NOARGS,
		"dispatch() -> list[Request]\n\nThe requests that are done (ostore_dispatch)."},
	{"subscribe", connection_subscribe, METH_VARARGS,
		"subscribe(since, /) -> Subscription\n\nBegin to read events (ostore_subscribe)."},
	{"import_", connection_import, METH_VARARGS,
		"import_(id, token, /) -> Object\n\n"
		"Load a reference that travelled, without waiting for it (ostore_import_begin)."},
	{"join", connection_join, METH_VARARGS,
		"join(id, token, /) -> Draft\n\nAnother process's draft, writable (ostore_join)."},
	{"flush", connection_flush, METH_NOARGS,
		"flush() -> None\n\nSend what was put off (ostore_flush)."},
	{"hold", connection_hold, METH_VARARGS,
		"hold(name, id, /) -> None\n\nKeep an object under a name (ostore_hold)."},
	{"unhold", connection_unhold, METH_VARARGS,
		"unhold(name, /) -> None\n\nGive a name up (ostore_unhold)."},
	{"lookup", connection_lookup, METH_VARARGS,
		"lookup(name, /) -> Object\n\nThe object under a name (ostore_lookup)."},
	{"delete", connection_delete, METH_VARARGS,
		"delete(ids, /) -> None\n\nRemove objects (ostore_delete)."},
	{"list", connection_list, METH_VARARGS,
		"list(pattern, labels, /) -> list\n\nWhat the caller may read, as dicts."},
	{"memory", connection_memory, METH_VARARGS,
		"memory(pattern, labels, /) -> list\n\nThe same, with who holds each."},
	{"set", connection_set, METH_VARARGS,
		"set(id, labels, unlabel, ttl, priority, pin, /) -> None\n\n"
		"Change attributes; None leaves one as it is."},
	{"stats", connection_stats, METH_NOARGS,
		"stats() -> dict\n\nThe state of the store (ostore_stats)."},
	{"configure", connection_configure, METH_VARARGS,
		"configure(key, value, /) -> None\n\n"
		"Change the broker's configuration (ostore_configure)."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef connection_getset[] = {
	{"address", connection_get_address, NULL, "socket path (ostore_address)", NULL},
	{"closed", connection_get_closed, NULL, "whether close() was called", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot connection_slots[] = {
	{Py_tp_doc, (void *)"Connection(address=None, /)\n\nA connection to a broker (ostore_connect)."},
	{Py_tp_new, connection_create_instance},
	{Py_tp_dealloc, connection_dealloc},
	{Py_tp_methods, connection_methods},
	{Py_tp_getset, connection_getset},
	{0, NULL},
};

PyType_Spec connection_spec = {
	.name = "ostore._ostore.Connection",
	.basicsize = sizeof(struct connection),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = connection_slots,
};
