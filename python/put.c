/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * put.c - Connection.put(), put_many() and create()
 *
 * A value arrives as a list of buffers and leaves as one scattered put: the
 * library copies each byte once, by the way that is fastest for the size.
 */
#include "module.h"

/* How long to wait for room after a signal, where the broker's queue_deadline, which
 * nobody knows here, began anew with each call: else a timer would make it endless. */
#define ROOM_DEADLINE_NS (INT64_C(10) * 1000000000)

/* Padding between pieces. */
static char nothing[OSTORE_DATA_ALIGN];

/* The arguments that create() and put() have in common. */
struct creation {
	struct ostore_put_options options;
	struct texts labels;
	PyObject *attributes; /* borrowed */
	ostore_id id;
	const char *id_bytes, *metadata;
	Py_ssize_t id_size, metadata_size;
	unsigned int mode;
	long long timeout; /* ns; 0: as long as the broker likes */
	int64_t deadline;
};

static int creation_prepare(struct creation *creation, struct module_state *state)
{
	int r;

	if (attributes_parse(&creation->options, &creation->labels, creation->attributes) < 0)
		return -1;
	/* An id of our own, so that a call repeated after a signal is the same put. */
	if (creation->id_bytes) {
		if (parse_id(&creation->id, creation->id_bytes, creation->id_size) < 0)
			return -1;
	} else {
		r = ostore_id_random(&creation->id);
		if (r < 0) {
			raise_error(state, r);
			return -1;
		}
	}
	creation->options.size = sizeof(creation->options);
	creation->options.id = &creation->id;
	creation->options.metadata = creation->metadata;
	creation->options.metadata_size = (size_t)creation->metadata_size;
	creation->options.mode = creation->mode;
	creation->options.timeout = creation->timeout;
	creation->deadline = deadline_after(creation->timeout);
	return 0;
}

/* Was the call interrupted, and shall it be repeated, with the time that is left? */
static bool creation_goes_on(struct creation *creation, int r)
{
	if (r != -EINTR || PyErr_CheckSignals() < 0)
		return false;
	if (creation->deadline == 0)
		creation->deadline = deadline_after(ROOM_DEADLINE_NS);
	creation->options.timeout = deadline_left(creation->deadline);
	return true;
}

/* Pieces as put() lays them out: each begins at a multiple of OSTORE_DATA_ALIGN. */
struct gathered {
	struct iovec *pieces; /* with the padding between them */
	size_t n_pieces;
	Py_buffer *buffers;
	Py_ssize_t n_buffers;
	uint64_t size;
};

static void gathered_free(struct gathered *gathered)
{
	for (Py_ssize_t i = 0; i < gathered->n_buffers; i++)
		PyBuffer_Release(&gathered->buffers[i]);
	PyMem_Free(gathered->buffers);
	PyMem_Free(gathered->pieces);
}

static void gathered_add(struct gathered *gathered, void *data, size_t size)
{
	if (size == 0)
		return;
	gathered->pieces[gathered->n_pieces++] = (struct iovec){.iov_base = data, .iov_len = size};
	gathered->size += size;
}

static int gather(struct gathered *gathered, PyObject *list)
{
	Py_ssize_t n = PyList_Size(list);

	gathered->buffers = PyMem_Calloc((size_t)n + 1, sizeof(*gathered->buffers));
	gathered->pieces = PyMem_Calloc(2 * (size_t)n + 1, sizeof(*gathered->pieces));
	if (!gathered->buffers || !gathered->pieces) {
		PyErr_NoMemory();
		return -1;
	}
	for (Py_ssize_t i = 0; i < n; i++) {
		Py_buffer *buffer = &gathered->buffers[i];
		uint64_t tail = gathered->size % OSTORE_DATA_ALIGN;
		PyObject *piece = PyList_GetItem(list, i);

		if (!piece || PyObject_GetBuffer(piece, buffer, PyBUF_SIMPLE) < 0)
			return -1;
		gathered->n_buffers++;
		if (tail)
			gathered_add(gathered, nothing, OSTORE_DATA_ALIGN - tail);
		gathered_add(gathered, buffer->buf, (size_t)buffer->len);
	}
	return 0;
}

static int put_gathered(struct ostore *ostore, const struct gathered *gathered,
	struct creation *creation, struct ostore_object **handlep)
{
	const struct ostore_put_options *options = &creation->options;
	int r;

	do {
		Py_BEGIN_ALLOW_THREADS
		if (gathered->n_pieces == 1)
			r = ostore_put(ostore, gathered->pieces[0].iov_base, gathered->size, options, handlep);
		else
			r = ostore_putv(ostore, gathered->pieces, gathered->n_pieces, options, handlep);
		Py_END_ALLOW_THREADS
	} while (creation_goes_on(creation, r));
	return r;
}

PyObject *connection_put(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct module_state *state = module_state_of(self);
	struct creation creation = {};
	struct gathered gathered = {};
	struct ostore_object *handle = NULL;
	PyObject *list, *result = NULL;
	struct ostore *ostore;
	int r;

	if (!PyArg_ParseTuple(args, "O!z#zy#ILO:put", &PyList_Type, &list, &creation.id_bytes,
		    &creation.id_size, &creation.options.name, &creation.metadata,
		    &creation.metadata_size, &creation.mode, &creation.timeout,
		    &creation.attributes))
		return NULL;
	if (creation_prepare(&creation, state) == 0 && gather(&gathered, list) == 0) {
		ostore = connection_enter(connection);
		if (ostore) {
			r = put_gathered(ostore, &gathered, &creation, &handle);
			if (r < 0 && !PyErr_Occurred())
				raise_put_error(state, r);
			result = finish_object(connection, r, handle);
		}
	}
	gathered_free(&gathered);
	texts_free(&creation.labels);
	return result;
}

/* ---- many ---- */

/* Values on their way into one ostore_put_many(). */
struct many {
	Py_ssize_t n;
	struct gathered *gathered;
	struct ostore_put_options *options;
	struct ostore_value *values;
	struct ostore_object **handles;
};

static void many_free(struct many *many)
{
	for (Py_ssize_t i = 0; many->gathered && i < many->n; i++)
		gathered_free(&many->gathered[i]);
	PyMem_Free(many->gathered);
	PyMem_Free(many->options);
	PyMem_Free(many->values);
	PyMem_Free(many->handles);
}

/* Out of a list of (metadata, pieces); all have the same mode and attributes. */
static int many_gather(struct many *many, PyObject *list, const struct ostore_put_options *common)
{
	size_t n = (size_t)PyList_Size(list);

	many->n = (Py_ssize_t)n;
	many->gathered = PyMem_Calloc(n + 1, sizeof(*many->gathered));
	many->options = PyMem_Calloc(n + 1, sizeof(*many->options));
	many->values = PyMem_Calloc(n + 1, sizeof(*many->values));
	many->handles = PyMem_Calloc(n + 1, sizeof(*many->handles));
	if (!many->gathered || !many->options || !many->values || !many->handles) {
		PyErr_NoMemory();
		return -1;
	}
	for (Py_ssize_t i = 0; i < many->n; i++) {
		struct ostore_put_options *options = &many->options[i];
		PyObject *value = PyList_GetItem(list, i), *pieces;
		Py_ssize_t metadata_size;
		const void *metadata;

		/* What it points to stays: the list keeps the tuples. */
		if (!value || !PyArg_ParseTuple(value, "y#O!:put_many", &options->metadata,
				      &metadata_size, &PyList_Type, &pieces) ||
			gather(&many->gathered[i], pieces) < 0)
			return -1;
		metadata = options->metadata;
		*options = *common;
		options->size = sizeof(*options);
		options->metadata = metadata;
		options->metadata_size = (size_t)metadata_size;
		many->values[i].pieces = many->gathered[i].pieces;
		many->values[i].n_pieces = many->gathered[i].n_pieces;
		many->values[i].options = options;
	}
	return 0;
}

PyObject *connection_put_many(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct creation creation = {};
	struct many many = {};
	PyObject *list, *result = NULL;
	struct ostore *ostore;
	int r;

	if (!PyArg_ParseTuple(args, "O!ILO:put_many", &PyList_Type, &list, &creation.mode,
		    &creation.timeout, &creation.attributes))
		return NULL;
	creation.deadline = deadline_after(creation.timeout);
	creation.options.timeout = creation.timeout;
	creation.options.mode = creation.mode;
	if (attributes_parse(&creation.options, &creation.labels, creation.attributes) < 0 ||
		many_gather(&many, list, &creation.options) < 0)
		goto out;
	ostore = connection_enter(connection);
	if (!ostore)
		goto out;
	/* After a signal all begins anew, with new ids: some were stored, for nobody. */
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_put_many(ostore, many.values, (size_t)many.n, creation.options.timeout,
			many.handles, NULL);
		Py_END_ALLOW_THREADS
	} while (creation_goes_on(&creation, r));
	if (r < 0 && !PyErr_Occurred())
		raise_put_error(module_state_of(self), r);
	if (r < 0) {
		for (Py_ssize_t i = 0; i < many.n; i++)
			ostore_release(many.handles[i]);
	}
	connection_leave(connection);
	if (r == 0)
		result = list_of_objects(connection, many.handles, many.n, false);
out:
	many_free(&many);
	texts_free(&creation.labels);
	return result;
}

PyObject *connection_create(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct module_state *state = module_state_of(self);
	struct creation creation = {};
	struct ostore_object *handle = NULL;
	unsigned long long size;
	struct ostore *ostore;
	int r;

	if (!PyArg_ParseTuple(args, "Kz#zy#ILO:create", &size, &creation.id_bytes,
		    &creation.id_size, &creation.options.name, &creation.metadata,
		    &creation.metadata_size, &creation.mode, &creation.timeout,
		    &creation.attributes))
		return NULL;
	ostore = creation_prepare(&creation, state) < 0 ? NULL : connection_enter(connection);
	if (!ostore) {
		texts_free(&creation.labels);
		return NULL;
	}
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_create(ostore, size, &creation.options, &handle);
		Py_END_ALLOW_THREADS
	} while (creation_goes_on(&creation, r));
	if (r < 0 && !PyErr_Occurred())
		raise_put_error(state, r);
	connection_leave(connection);
	texts_free(&creation.labels);
	return r < 0 ? NULL : draft_new(connection, handle);
}
