/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module.c - the extension module: its types, functions, and how errnos raise
 *
 * Exceptions are classes of ostore/_errors.py, where people can read them.
 * Every errno of ostore.h has its class here; the text is the library's
 * sentence, which names object, cause and what to do.
 */
#include "module.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* deadline_after() - when a timeout ends
 * @timeout: ns; 0 and OSTORE_FOREVER stay what they are. */
int64_t deadline_after(int64_t timeout)
{
	int64_t deadline;

	if (timeout == 0 || timeout == OSTORE_FOREVER)
		return timeout;
	if (__builtin_add_overflow(now_ns(), timeout, &deadline))
		return OSTORE_FOREVER;
	return deadline;
}

/* deadline_left() - the timeout that is left of a deadline; 1 ns when it passed,
 * because 0 would ask for something else: not to wait at all */
int64_t deadline_left(int64_t deadline)
{
	int64_t left;

	if (deadline == 0 || deadline == OSTORE_FOREVER)
		return deadline;
	left = deadline - now_ns();
	return left > 0 ? left : 1;
}

static PyObject *raise_named(struct module_state *state, const char *name)
{
	PyObject *type = PyObject_GetAttrString(state->errors, name);

	if (type) {
		PyErr_SetString(type, ostore_strerror(NULL));
		Py_DECREF(type);
	}
	return NULL;
}

PyObject *raise_error(struct module_state *state, int r)
{
	switch (-r) {
	case OSTORE_ENOTFOUND:
		return raise_named(state, "ObjectNotFoundError");
	case OSTORE_EEXISTS:
		return raise_named(state, "ObjectExistsError");
	case OSTORE_EFULL:
	case OSTORE_EQUOTA:
	case EFBIG:
		return raise_named(state, "ObjectStoreFullError");
	case OSTORE_ELOST:
		return raise_named(state, "ObjectLostError");
	case OSTORE_ETIMEOUT:
		return raise_named(state, "GetTimeoutError");
	case OSTORE_EDISK:
		return raise_named(state, "OutOfDiskError");
	case OSTORE_EPERMISSION:
	case EPERM:
		return raise_named(state, "PermissionDenied");
	case OSTORE_EUNAVAILABLE:
		return raise_named(state, "BrokerUnavailable");
	case ENOMEM:
		return PyErr_NoMemory();
	case EINVAL:
	case EMSGSIZE:
	case ENAMETOOLONG:
		PyErr_SetString(PyExc_ValueError, ostore_strerror(NULL));
		return NULL;
	default:
		return raise_named(state, "Error");
	}
}

PyObject *raise_put_error(struct module_state *state, int r)
{
	/* The deadline of a put passes because there is no room. */
	if (r == -OSTORE_ETIMEOUT)
		return raise_named(state, "ObjectStoreFullError");
	return raise_error(state, r);
}

static PyObject *random_id(PyObject *module, PyObject *unused)
{
	ostore_id id;
	int r = ostore_id_random(&id);

	if (r < 0)
		return raise_error(PyModule_GetState(module), r);
	return PyBytes_FromStringAndSize((const char *)id.bytes, ID_SIZE);
}

static PyObject *buffer_address(PyObject *module, PyObject *exporter)
{
	Py_buffer buffer;
	PyObject *address;

	if (PyObject_GetBuffer(exporter, &buffer, PyBUF_STRIDES) < 0)
		return NULL;
	address = PyLong_FromVoidPtr(buffer.buf);
	PyBuffer_Release(&buffer);
	return address;
}

static PyMethodDef functions[] = {
	{"random_id", random_id, METH_NOARGS,
		"random_id() -> bytes\n\n16 random bytes that name a new object (ostore_id_random)."},
	{"buffer_address", buffer_address, METH_O,
		"buffer_address(exporter, /) -> int\n\nWhere the first element of a buffer is."},
	{"tree_encode", tree_encode, METH_VARARGS,
		"tree_encode(value, leaf, /) -> (bytes, list) | None\n\n"
		"Encode a value without pickle; None when it holds what the encoding lacks.\n"
		"leaf(object) returns (description, buffer) for what it knows, else None."},
	{"tree_decode", tree_decode, METH_VARARGS,
		"tree_decode(head, segments, leaf, /) -> object\n\n"
		"The value that tree_encode() encoded; runs no code but leaf(description, segment)."},
	{NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **typep)
{
	PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

	if (!type)
		return -1;
	*typep = (PyTypeObject *)type;
	return PyModule_AddType(module, *typep);
}

static int module_exec(PyObject *module)
{
	struct module_state *state = PyModule_GetState(module);

	state->errors = PyImport_ImportModule("ostore._errors");
	if (!state->errors)
		return -1;
	if (add_type(module, &connection_spec, &state->connection_type) < 0 ||
		add_type(module, &object_spec, &state->object_type) < 0 ||
		add_type(module, &draft_spec, &state->draft_type) < 0 ||
		add_type(module, &request_spec, &state->request_type) < 0 ||
		add_type(module, &subscription_spec, &state->subscription_type) < 0)
		return -1;
	if (PyModule_AddIntConstant(module, "GET_REF", OSTORE_GET_REF) < 0 ||
		PyModule_AddIntConstant(module, "GET_COW", OSTORE_GET_COW) < 0 ||
		PyModule_AddIntConstant(module, "METADATA_MAX", OSTORE_METADATA_MAX) < 0 ||
		PyModule_AddIntConstant(module, "ALIGN", OSTORE_DATA_ALIGN) < 0 ||
		PyModule_AddObject(module, "EVENTS_NEW", PyLong_FromUnsignedLongLong(OSTORE_EVENTS_NEW)) < 0 ||
		PyModule_AddObject(module, "FOREVER", PyLong_FromLongLong(OSTORE_FOREVER)) < 0 ||
		PyModule_AddStringConstant(module, "OSTORED_PATH", OSTORED_PATH) < 0 ||
		PyModule_AddStringConstant(module, "VERSION", ostore_version()) < 0)
		return -1;
	return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct module_state *state = PyModule_GetState(module);

	Py_VISIT(state->errors);
	Py_VISIT(state->connection_type);
	Py_VISIT(state->object_type);
	Py_VISIT(state->draft_type);
	Py_VISIT(state->request_type);
	Py_VISIT(state->subscription_type);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct module_state *state = PyModule_GetState(module);

	Py_CLEAR(state->errors);
	Py_CLEAR(state->connection_type);
	Py_CLEAR(state->object_type);
	Py_CLEAR(state->draft_type);
	Py_CLEAR(state->request_type);
	Py_CLEAR(state->subscription_type);
	return 0;
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
	{0, NULL},
};

static struct PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "ostore._ostore",
	.m_doc = "libostore(3) for Python; use the module ostore, which is documented.",
	.m_size = sizeof(struct module_state),
	.m_methods = functions,
	.m_slots = module_slots,
	.m_traverse = module_traverse,
	.m_clear = module_clear,
};

struct module_state *module_state_of(PyObject *object)
{
	return PyType_GetModuleState(Py_TYPE(object));
}

PyMODINIT_FUNC PyInit__ostore(void);
PyMODINIT_FUNC PyInit__ostore(void)
{
	return PyModuleDef_Init(&module_def);
}
