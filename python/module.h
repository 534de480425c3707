/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module.h - what the files of the extension module ostore._ostore share
 *
 * The extension is a thin layer over ostore.h: it turns connections, handles
 * and drafts into Python objects whose lifetimes are those of the views on
 * them, releases the GIL around whatever may wait, and turns errnos into
 * exceptions.  What a value looks like in an object is decided in Python
 * (ostore/_format.py), except for the tree codec, which has to be fast.
 *
 * Only the limited API of Python 3.11 is used (abi3): one build serves all
 * later versions.
 */
#ifndef OSTORE_PYTHON_MODULE_H
#define OSTORE_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include <ostore.h>

#define ID_SIZE 16

struct module_state {
	PyObject *errors; /* the module ostore._errors */
	PyTypeObject *connection_type, *object_type, *draft_type, *request_type, *subscription_type;
};

/*
 * Connection: struct ostore.  close() may come while other threads are inside
 * the library, so calls are counted and the last one to leave closes.
 */
struct connection {
	PyObject_HEAD
	struct ostore *ostore; /* NULL: closed */
	unsigned int n_calls;  /* under way, in any thread */
	bool closing;
};

extern PyType_Spec connection_spec, object_spec, draft_spec, request_spec, subscription_spec;

struct module_state *module_state_of(PyObject *object);

/* Raise what errno -r means, with the library's sentence; always returns NULL.
 * Call it before anything else can enter the library on this thread. */
PyObject *raise_error(struct module_state *state, int r);

/* Like raise_error(), for calls that wait for room rather than for an object. */
PyObject *raise_put_error(struct module_state *state, int r);

/* The library, for one call: NULL and BrokerUnavailable if it is closed. */
struct ostore *connection_enter(struct connection *connection);
void connection_leave(struct connection *connection);

/* A handle (which it takes, also on failure) as a Python object. */
PyObject *object_new(struct connection *connection, struct ostore_object *handle);
PyObject *object_new_view(struct connection *connection, struct ostore_object *handle, bool writable);
PyObject *draft_new(struct connection *connection, struct ostore_object *handle);

/* Expose a handle's bytes; `data` may be NULL when there are none. */
int fill_buffer(PyObject *owner, Py_buffer *view, const void *data, uint64_t size, bool readonly,
	int flags);

/* 16 bytes to an id; -1 and ValueError if they are not 16. */
int parse_id(ostore_id *id, const char *bytes, Py_ssize_t size);

/* End a call that made a handle: its Python object, or NULL and the exception. */
PyObject *finish_object(struct connection *connection, int r, struct ostore_object *handle);

/* Bytes out of a tuple, each without a NUL; they borrow from it. */
struct texts {
	const char **texts;
	size_t n;
};
int texts_parse(struct texts *texts, PyObject *tuple);
void texts_free(struct texts *texts);

/* The attributes of a new object: None, or a tuple (labels, ttl, priority, pin, call site), from
 * which options borrow.  labels is to be freed afterwards, also on failure. */
int attributes_parse(struct ostore_put_options *options, struct texts *labels, PyObject *attributes);

/* Methods of connections in files of their own: attributes.c, put.c, inspect.c, request.c. */
PyObject *connection_set(PyObject *self, PyObject *args);
PyObject *connection_put(PyObject *self, PyObject *args);
PyObject *connection_put_many(PyObject *self, PyObject *args);
PyObject *connection_create(PyObject *self, PyObject *args);
/* Handles (which it takes, also on failure) as a list of Python objects. */
PyObject *list_of_objects(struct connection *connection, struct ostore_object **handles,
	Py_ssize_t n, bool writable);
PyObject *connection_list(PyObject *self, PyObject *args);
PyObject *connection_memory(PyObject *self, PyObject *args);
PyObject *connection_stats(PyObject *self, PyObject *unused);
PyObject *connection_get_begin(PyObject *self, PyObject *args);
PyObject *connection_wait_begin(PyObject *self, PyObject *args);
PyObject *connection_poll_fd(PyObject *self, PyObject *unused);
PyObject *connection_dispatch(PyObject *self, PyObject *unused);
PyObject *connection_subscribe(PyObject *self, PyObject *args);

/* Values without pickle: tree-encode.c has the format. */
PyObject *tree_encode(PyObject *module, PyObject *args);
PyObject *tree_decode(PyObject *module, PyObject *args);

/* A deadline for calls that a signal may interrupt. */
int64_t deadline_after(int64_t timeout);
int64_t deadline_left(int64_t deadline);

#endif
