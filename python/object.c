/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object.c - handles of sealed objects, and drafts, as buffers
 *
 * Both export the buffer protocol, and whoever looks at their bytes (a
 * memoryview, an array, a slice of it) keeps the Python object alive, and with
 * it the handle and the mapping: nothing is unmapped under a view.  NumPy drops
 * the Py_buffer at once and keeps only the object, so the object's life decides,
 * never a count of exports.
 *
 *   Draft --seal()--> no view was ever given out: its handle becomes the Object
 *                     else: the Object is a second handle, and the draft keeps
 *                     the first one with a private mapping at the same address
 *   Draft --abort()-> no view: gone; else gone when the last view is
 *
 * Threads: everything here runs under the GIL; it is released around release
 * and seal, after the handle was taken out of the Python object.
 */
#include "module.h"

#include <stddef.h>
#include <structmember.h>

struct object {
	PyObject_HEAD
	struct connection *connection;
	struct ostore_object *handle;
	PyObject *weak; /* references that do not keep it */
	bool writable;  /* a copy-on-write view */
	bool is_settled; /* size, owner and metadata are known */
};

struct draft {
	PyObject_HEAD
	struct connection *connection;
	struct ostore_object *handle; /* NULL: moved or aborted, or another thread seals it */
	bool exposed;                 /* somebody may know the address */
	bool sealed, aborted;
	bool shared; /* others may write it */
};

/* Where views of nothing point; aligned like everything else. */
static char nothing[OSTORE_DATA_ALIGN] __attribute__((aligned(OSTORE_DATA_ALIGN)));

static void release_handle(struct ostore_object *handle)
{
	if (!handle)
		return;
	Py_BEGIN_ALLOW_THREADS
	ostore_release(handle);
	Py_END_ALLOW_THREADS
}

static void free_instance(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc tp_free = (freefunc)PyType_GetSlot(type, Py_tp_free);

	tp_free(self);
	Py_DECREF(type);
}

static void *alloc_instance(PyTypeObject *type)
{
	allocfunc tp_alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);

	return tp_alloc(type, 0);
}

int fill_buffer(PyObject *owner, Py_buffer *view, const void *data, uint64_t size, bool readonly,
	int flags)
{
	if (size > PY_SSIZE_T_MAX) {
		PyErr_SetString(PyExc_BufferError, "the object is larger than Python can address");
		view->obj = NULL;
		return -1;
	}
	return PyBuffer_FillInfo(view, owner, data ? (void *)data : nothing, (Py_ssize_t)size,
		readonly, flags);
}

/* ---- sealed objects ---- */

PyObject *object_new_view(struct connection *connection, struct ostore_object *handle, bool writable)
{
	struct module_state *state = module_state_of((PyObject *)connection);
	struct object *object = alloc_instance(state->object_type);

	if (!object) {
		release_handle(handle);
		return NULL;
	}
	Py_INCREF((PyObject *)connection);
	object->connection = connection;
	object->handle = handle;
	object->writable = writable;
	/* not what was imported, unless it happens to be here; asking again costs nothing then */
	object->is_settled = ostore_data(handle) != NULL;
	return (PyObject *)object;
}

PyObject *object_new(struct connection *connection, struct ostore_object *handle)
{
	return object_new_view(connection, handle, false);
}

static void object_dealloc(PyObject *self)
{
	struct object *object = (struct object *)self;

	/* First: release_handle() lets other threads run, and none may find it any more. */
	if (object->weak)
		PyObject_ClearWeakRefs(self);
	release_handle(object->handle);
	Py_XDECREF((PyObject *)object->connection);
	free_instance(self);
}

static int object_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	struct object *object = (struct object *)self;
	const void *data = ostore_data(object->handle);
	uint64_t size = ostore_size(object->handle);

	if (!data && size) {
		PyErr_SetString(PyExc_BufferError, "this is a reference only: get() maps it");
		view->obj = NULL;
		return -1;
	}
	return fill_buffer(self, view, data, size, !object->writable, flags);
}

static PyObject *take_lease(PyObject *self, int (*export)(struct ostore_object *, ostore_token *))
{
	struct object *object = (struct object *)self;
	ostore_token token;
	int r;

	if (!connection_enter(object->connection))
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = export(object->handle, &token);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(object->connection);
	if (r < 0)
		return NULL;
	return PyBytes_FromStringAndSize((const char *)token.bytes, sizeof(token.bytes));
}

static PyObject *object_export(PyObject *self, PyObject *unused)
{
	return take_lease(self, ostore_export);
}

static PyObject *object_export_begin(PyObject *self, PyObject *unused)
{
	return take_lease(self, ostore_export_begin);
}

static PyObject *object_get_id(PyObject *self, void *unused)
{
	const ostore_id *id = ostore_object_id(((struct object *)self)->handle);

	return PyBytes_FromStringAndSize((const char *)id->bytes, ID_SIZE);
}

/* What a reference that was loaded is like is known once it has arrived. */
static int settle(PyObject *self)
{
	struct object *object = (struct object *)self;
	int r;

	if (object->is_settled)
		return 0;
	if (!connection_enter(object->connection))
		return -1;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_import_end(object->handle);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(object->connection);
	object->is_settled = r >= 0;
	return r < 0 ? -1 : 0;
}

static PyObject *object_get_size(PyObject *self, void *unused)
{
	if (settle(self) < 0)
		return NULL;
	return PyLong_FromUnsignedLongLong(ostore_size(((struct object *)self)->handle));
}

static PyObject *object_get_owner(PyObject *self, void *unused)
{
	if (settle(self) < 0)
		return NULL;
	return PyLong_FromUnsignedLong(ostore_owner(((struct object *)self)->handle));
}

static PyObject *object_get_metadata(PyObject *self, void *unused)
{
	const void *metadata;
	size_t size;

	if (settle(self) < 0)
		return NULL;
	metadata = ostore_metadata(((struct object *)self)->handle, &size);
	return PyBytes_FromStringAndSize(metadata, (Py_ssize_t)size);
}

static PyObject *object_get_address(PyObject *self, void *unused)
{
	return PyLong_FromUnsignedLongLong((uintptr_t)ostore_data(((struct object *)self)->handle));
}

static PyObject *object_get_connection(PyObject *self, void *unused)
{
	PyObject *connection = (PyObject *)((struct object *)self)->connection;

	Py_INCREF(connection);
	return connection;
}

static PyObject *object_get_writable(PyObject *self, void *unused)
{
	return PyBool_FromLong(((struct object *)self)->writable);
}

static PyObject *object_get_shared(PyObject *self, void *unused)
{
	return PyBool_FromLong(ostore_is_shared_address(((struct object *)self)->handle));
}

static PyMethodDef object_methods[] = {
	{"export", object_export, METH_NOARGS,
		"export() -> bytes\n\nTake a lease for a reference that travels (ostore_export)."},
	{"export_begin", object_export_begin, METH_NOARGS,
		"export_begin() -> bytes\n\n"
		"The same with the connection's next flush() (ostore_export_begin)."},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef object_getset[] = {
	{"id", object_get_id, NULL, "16 bytes (ostore_object_id)", NULL},
	{"size", object_get_size, NULL, "bytes of data (ostore_size)", NULL},
	{"owner", object_get_owner, NULL, "uid that sealed it (ostore_owner)", NULL},
	{"metadata", object_get_metadata, NULL, "its metadata (ostore_metadata)", NULL},
	{"address", object_get_address, NULL, "where it is mapped, or 0 (ostore_data)", NULL},
	{"connection", object_get_connection, NULL, "whose object it is", NULL},
	{"shared_address", object_get_shared, NULL,
		"whether every process sees it there (ostore_is_shared_address)", NULL},
	{"writable", object_get_writable, NULL, "whether it is a copy-on-write view (OSTORE_GET_COW)", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef object_members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(struct object, weak), READONLY, NULL},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot object_slots[] = {
	{Py_tp_doc, (void *)"A handle of a sealed object, and a buffer of its bytes."},
	{Py_tp_dealloc, object_dealloc},
	{Py_tp_methods, object_methods},
	{Py_tp_getset, object_getset},
	{Py_tp_members, object_members},
	{Py_bf_getbuffer, object_getbuffer},
	{0, NULL},
};

PyType_Spec object_spec = {
	.name = "ostore._ostore.Object",
	.basicsize = sizeof(struct object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = object_slots,
};

/* ---- drafts ---- */

#define SEAL_SLICE_NS 200000000 /* of the wait for other processes that write */

PyObject *draft_new(struct connection *connection, struct ostore_object *handle)
{
	struct module_state *state = module_state_of((PyObject *)connection);
	struct draft *draft = alloc_instance(state->draft_type);

	if (!draft) {
		release_handle(handle);
		return NULL;
	}
	Py_INCREF((PyObject *)connection);
	draft->connection = connection;
	draft->handle = handle;
	return (PyObject *)draft;
}

static void draft_dealloc(PyObject *self)
{
	struct draft *draft = (struct draft *)self;

	release_handle(draft->handle);
	Py_XDECREF((PyObject *)draft->connection);
	free_instance(self);
}

static int draft_check(struct draft *draft)
{
	if (draft->handle && !draft->aborted)
		return 0;
	PyErr_Format(PyExc_ValueError, "the draft is %s",
		draft->sealed ? "sealed" : draft->aborted ? "aborted" : "being sealed by another thread");
	return -1;
}

static int draft_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	struct draft *draft = (struct draft *)self;
	uint64_t size;
	void *data;

	view->obj = NULL;
	if (draft_check(draft) < 0)
		return -1;
	data = ostore_buffer(draft->handle);
	size = ostore_size(draft->handle);
	if (draft->sealed) {
		/* NumPy asks when somebody sets a view's flag: the answer is no. */
		PyErr_SetString(PyExc_BufferError, "the draft is sealed: get() reads the object");
		return -1;
	}
	if (!data && size) {
		PyErr_SetString(PyExc_BufferError, "the draft belongs to the process that forked this one");
		return -1;
	}
	draft->exposed = true;
	return fill_buffer(self, view, data, size, false, flags);
}

/* The reference that a sealed draft leaves: its own handle, unless views need that. */
static int draft_take_reference(struct draft *draft, struct ostore_object *handle,
	struct ostore_object **referencep)
{
	int r;

	if (!draft->exposed) {
		*referencep = handle;
		return 0;
	}
	draft->handle = handle;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_dup(handle, referencep);
	Py_END_ALLOW_THREADS
	return r;
}

static PyObject *draft_seal(PyObject *self, PyObject *args)
{
	long long timeout = OSTORE_FOREVER;
	int64_t deadline, left;
	struct draft *draft = (struct draft *)self;
	struct ostore_object *handle = draft->handle, *reference;
	bool keep_view = draft->exposed;
	int r;

	if (!PyArg_ParseTuple(args, "|L:seal", &timeout))
		return NULL;
	if (draft->sealed) {
		PyErr_SetString(PyExc_ValueError, "the draft is sealed");
		return NULL;
	}
	if (draft_check(draft) < 0 || !connection_enter(draft->connection))
		return NULL;
	draft->handle = NULL;
	deadline = deadline_after(timeout);
	do { /* between two slices a signal can end it */
		left = timeout == 0 ? 0 : deadline_left(deadline);
		Py_BEGIN_ALLOW_THREADS
		r = ostore_seal_shared(handle, keep_view, left < SEAL_SLICE_NS ? left : SEAL_SLICE_NS);
		Py_END_ALLOW_THREADS
	} while (r == -EBUSY && draft->shared && left > 1 && PyErr_CheckSignals() == 0);
	if (r < 0) {
		draft->handle = handle;
	} else {
		draft->sealed = true;
		r = draft_take_reference(draft, handle, &reference);
	}
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave(draft->connection);
	return r < 0 ? NULL : object_new(draft->connection, reference);
}

static PyObject *draft_abort(PyObject *self, PyObject *unused)
{
	struct draft *draft = (struct draft *)self;
	struct ostore_object *handle = draft->handle;

	if (draft->sealed || draft->aborted)
		Py_RETURN_NONE;
	if (draft_check(draft) < 0)
		return NULL;
	draft->aborted = true;
	if (!draft->exposed) {
		draft->handle = NULL;
		release_handle(handle);
	}
	Py_RETURN_NONE;
}

static PyObject *draft_share(PyObject *self, PyObject *unused)
{
	struct draft *draft = (struct draft *)self;
	ostore_token token;
	ostore_id id;
	int r;

	if (draft_check(draft) < 0 || !connection_enter(draft->connection))
		return NULL;
	id = *ostore_object_id(draft->handle);
	draft->shared = true;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_share(draft->handle, &token);
	Py_END_ALLOW_THREADS
	connection_leave(draft->connection);
	if (r < 0)
		return raise_error(module_state_of(self), r);
	return Py_BuildValue("(y#y#)", (const char *)id.bytes, (Py_ssize_t)sizeof id.bytes,
		(const char *)token.bytes, (Py_ssize_t)sizeof token.bytes);
}

static PyMethodDef draft_methods[] = {
	{"seal", draft_seal, METH_VARARGS,
		"seal(timeout=FOREVER, /) -> Object\n\n"
		"Publish the draft; views of it stay readable (ostore_seal_shared)."},
	{"share", draft_share, METH_NOARGS,
		"share() -> tuple[bytes, bytes]\n\n"
		"The id, and the token by which others may write it too (ostore_share)."},
	{"abort", draft_abort, METH_NOARGS,
		"abort() -> None\n\nGive the draft up, at once or when its last view is gone (ostore_abort)."},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot draft_slots[] = {
	{Py_tp_doc, (void *)"An object being written, and a writable buffer of its bytes."},
	{Py_tp_dealloc, draft_dealloc},
	{Py_tp_methods, draft_methods},
	{Py_bf_getbuffer, draft_getbuffer},
	{0, NULL},
};

PyType_Spec draft_spec = {
	.name = "ostore._ostore.Draft",
	.basicsize = sizeof(struct draft),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = draft_slots,
};
