/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attributes.c - labels, times to live, priorities, pins and call sites
 *
 * ostore/_attributes.py checks what a program says and hands over bytes and numbers.
 */
#include "module.h"

int texts_parse(struct texts *texts, PyObject *tuple)
{
	Py_ssize_t n = PyTuple_Size(tuple);

	if (n < 0)
		return -1;
	texts->texts = PyMem_Calloc((size_t)n + 1, sizeof(*texts->texts));
	if (!texts->texts) {
		PyErr_NoMemory();
		return -1;
	}
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *text = PyTuple_GetItem(tuple, i);

		/* NULL for the length: a NUL inside is a ValueError */
		if (!text || PyBytes_AsStringAndSize(text, (char **)&texts->texts[i], NULL) < 0)
			return -1;
	}
	texts->n = (size_t)n;
	return 0;
}

void texts_free(struct texts *texts)
{
	PyMem_Free(texts->texts);
}

int attributes_parse(struct ostore_put_options *options, struct texts *labels, PyObject *attributes)
{
	long long ttl;
	PyObject *tuple;
	int pin;

	if (attributes == Py_None)
		return 0;
	/* What it points to stays: the caller's arguments keep the tuple. */
	if (!PyTuple_Check(attributes)) {
		PyErr_SetString(PyExc_TypeError, "attributes are a tuple, or None");
		return -1;
	}
	if (!PyArg_ParseTuple(attributes, "O!Lipz:attributes", &PyTuple_Type, &tuple, &ttl,
		    &options->priority, &pin, &options->call_site) ||
		texts_parse(labels, tuple) < 0)
		return -1;
	options->ttl = ttl;
	options->pin = pin;
	options->labels = labels->texts;
	options->n_labels = labels->n;
	return 0;
}

/* A number, or None. */
static int optional(PyObject *object, bool *setp, long long *numberp)
{
	*setp = object != Py_None;
	*numberp = *setp ? PyLong_AsLongLong(object) : 0;
	return *numberp == -1 && PyErr_Occurred() ? -1 : 0;
}

PyObject *connection_set(PyObject *self, PyObject *args)
{
	struct connection *connection = (struct connection *)self;
	struct ostore_changes changes = {.size = sizeof(changes)};
	PyObject *labels, *unlabel, *ttl, *priority, *pin;
	struct texts set = {}, unset = {};
	long long ttl_ns, level, pinned;
	struct ostore *ostore;
	Py_ssize_t id_size;
	const char *id_bytes;
	bool to_pin;
	ostore_id id;
	int r = -1;

	if (!PyArg_ParseTuple(args, "y#O!O!OOO:set", &id_bytes, &id_size, &PyTuple_Type, &labels,
		    &PyTuple_Type, &unlabel, &ttl, &priority, &pin))
		return NULL;
	if (parse_id(&id, id_bytes, id_size) < 0 || texts_parse(&set, labels) < 0 ||
		texts_parse(&unset, unlabel) < 0 || optional(ttl, &changes.set_ttl, &ttl_ns) < 0 ||
		optional(priority, &changes.set_priority, &level) < 0 ||
		optional(pin, &to_pin, &pinned) < 0)
		goto out;
	changes.labels = set.texts;
	changes.n_labels = set.n;
	changes.unlabel = unset.texts;
	changes.n_unlabel = unset.n;
	changes.ttl = ttl_ns;
	changes.priority = (int)level;
	changes.pin = to_pin && pinned;
	changes.unpin = to_pin && !pinned;
	ostore = connection_enter(connection);
	if (!ostore)
		goto out;
	Py_BEGIN_ALLOW_THREADS
	r = ostore_set(ostore, &id, &changes);
	Py_END_ALLOW_THREADS
	if (r < 0)
		raise_put_error(module_state_of(self), r);
	connection_leave(connection);
out:
	texts_free(&set);
	texts_free(&unset);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}
