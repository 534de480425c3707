/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-decode.c - values from the encoding that tree-encode.c describes
 *
 * Anybody's object may be decoded: this builds values of a few types, and calls
 * one function, the caller's `leaf`.  It believes nothing it reads: every length
 * is checked, and each segment is used once, so memory is proportional to the
 * object.  ValueError says what is wrong.
 */
#include "module.h"

#include <endian.h>
#include <string.h>

struct decoder {
	const uint8_t *next, *end;
	PyObject *leaf, *segments; /* segments is a list */
	Py_ssize_t n_used;         /* segments taken so far */
	PyObject *numbered;        /* the values with a number, in its order */
};

static PyObject *damaged(const char *what)
{
	PyErr_Format(PyExc_ValueError, "damaged value: %s", what);
	return NULL;
}

static size_t left(const struct decoder *decoder)
{
	return (size_t)(decoder->end - decoder->next);
}

static int read_varint(struct decoder *decoder, uint64_t *numberp)
{
	uint64_t number = 0;

	for (unsigned int shift = 0; shift < 64 && left(decoder); shift += 7) {
		uint8_t byte = *decoder->next++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*numberp = number;
			return 0;
		}
	}
	damaged("a number has no end");
	return -1;
}

/* A count of things that take at least `each` bytes of what is left. */
static int read_count(struct decoder *decoder, size_t each, Py_ssize_t *countp)
{
	uint64_t count;

	if (read_varint(decoder, &count) < 0)
		return -1;
	if (count > left(decoder) / each) {
		damaged("a length reaches beyond the end");
		return -1;
	}
	*countp = (Py_ssize_t)count;
	return 0;
}

static const char *read_counted(struct decoder *decoder, Py_ssize_t *sizep)
{
	const char *bytes;

	if (read_count(decoder, 1, sizep) < 0)
		return NULL;
	bytes = (const char *)decoder->next;
	decoder->next += *sizep;
	return bytes;
}

static PyObject *next_segment(struct decoder *decoder)
{
	if (decoder->n_used >= PyList_Size(decoder->segments))
		return damaged("it has too few segments");
	return PyList_GetItem(decoder->segments, decoder->n_used++); /* borrowed */
}

static int read_double(struct decoder *decoder, double *valuep)
{
	uint64_t bits;

	if (left(decoder) < sizeof(bits)) {
		damaged("a float has no end");
		return -1;
	}
	memcpy(&bits, decoder->next, sizeof(bits));
	decoder->next += sizeof(bits);
	bits = le64toh(bits);
	memcpy(valuep, &bits, sizeof(bits));
	return 0;
}

/* Give a new value its number; frees it on failure. */
static PyObject *numbered(struct decoder *decoder, PyObject *value)
{
	if (value && PyList_Append(decoder->numbered, value) < 0)
		Py_CLEAR(value);
	return value;
}

static PyObject *decode_value(struct decoder *decoder);

static PyObject *decode_long(struct decoder *decoder)
{
	char *text, *end;
	const char *digits;
	PyObject *value;
	Py_ssize_t size;

	digits = read_counted(decoder, &size);
	if (!digits)
		return NULL;
	text = PyMem_Malloc((size_t)size + 1);
	if (!text)
		return PyErr_NoMemory();
	memcpy(text, digits, (size_t)size);
	text[size] = 0;
	value = PyLong_FromString(text, &end, 16);
	if (value && end != text + size) {
		Py_CLEAR(value);
		damaged("digits of an integer");
	}
	PyMem_Free(text);
	return value;
}

static PyObject *decode_list(struct decoder *decoder)
{
	PyObject *list, *item;
	Py_ssize_t n;

	if (read_count(decoder, 1, &n) < 0)
		return NULL;
	list = numbered(decoder, PyList_New(0));
	while (list && n-- > 0) {
		item = decode_value(decoder);
		if (!item || PyList_Append(list, item) < 0)
			Py_CLEAR(list);
		Py_XDECREF(item);
	}
	return list;
}

static PyObject *decode_tuple(struct decoder *decoder)
{
	PyObject *tuple, *item;
	Py_ssize_t n;

	if (read_count(decoder, 1, &n) < 0)
		return NULL;
	tuple = PyTuple_New(n);
	for (Py_ssize_t i = 0; tuple && i < n; i++) {
		item = decode_value(decoder);
		if (!item || PyTuple_SetItem(tuple, i, item) < 0)
			Py_CLEAR(tuple);
	}
	return numbered(decoder, tuple);
}

static PyObject *decode_dict(struct decoder *decoder)
{
	PyObject *dict, *key, *value;
	Py_ssize_t n;

	if (read_count(decoder, 2, &n) < 0)
		return NULL;
	dict = numbered(decoder, PyDict_New());
	while (dict && n-- > 0) {
		key = decode_value(decoder);
		value = key ? decode_value(decoder) : NULL;
		if (!value || PyDict_SetItem(dict, key, value) < 0)
			Py_CLEAR(dict);
		Py_XDECREF(key);
		Py_XDECREF(value);
	}
	return dict;
}

static PyObject *decode_leaf(struct decoder *decoder)
{
	PyObject *description = decode_value(decoder), *segment, *value = NULL;

	if (!description)
		return NULL;
	segment = next_segment(decoder);
	if (segment)
		value = PyObject_CallFunctionObjArgs(decoder->leaf, description, segment, NULL);
	Py_DECREF(description);
	return numbered(decoder, value);
}

static PyObject *decode_again(struct decoder *decoder)
{
	PyObject *value;
	uint64_t number;

	if (read_varint(decoder, &number) < 0)
		return NULL;
	if (number >= (uint64_t)PyList_Size(decoder->numbered))
		return damaged("a value that is not there yet");
	value = PyList_GetItem(decoder->numbered, (Py_ssize_t)number);
	Py_INCREF(value);
	return value;
}

static PyObject *decode_scalar(struct decoder *decoder, uint8_t tag)
{
	uint64_t number;
	double real, imaginary;

	switch (tag) {
	case 'N':
		Py_RETURN_NONE;
	case 'T':
		Py_RETURN_TRUE;
	case 'F':
		Py_RETURN_FALSE;
	case 'i':
		if (read_varint(decoder, &number) < 0)
			return NULL;
		return PyLong_FromLongLong((int64_t)(number >> 1 ^ -(number & 1)));
	case 'I':
		return decode_long(decoder);
	case 'f':
		return read_double(decoder, &real) < 0 ? NULL : PyFloat_FromDouble(real);
	case 'c':
		if (read_double(decoder, &real) < 0 || read_double(decoder, &imaginary) < 0)
			return NULL;
		return PyComplex_FromDoubles(real, imaginary);
	default:
		return damaged("unknown type");
	}
}

static PyObject *decode_text(struct decoder *decoder, uint8_t tag)
{
	const char *bytes;
	PyObject *segment;
	Py_ssize_t size;

	if (tag == 'A' || tag == 'B') {
		segment = next_segment(decoder);
		if (!segment)
			return NULL;
		return tag == 'A' ? PyByteArray_FromObject(segment) : PyBytes_FromObject(segment);
	}
	bytes = read_counted(decoder, &size);
	if (!bytes)
		return NULL;
	if (tag == 's')
		return PyUnicode_DecodeUTF8(bytes, size, "surrogatepass");
	return tag == 'a' ? PyByteArray_FromStringAndSize(bytes, size)
			  : PyBytes_FromStringAndSize(bytes, size);
}

static PyObject *decode_container(struct decoder *decoder, uint8_t tag)
{
	PyObject *value;

	if (Py_EnterRecursiveCall(" while a value is read"))
		return NULL;
	switch (tag) {
	case 'l':
		value = decode_list(decoder);
		break;
	case 't':
		value = decode_tuple(decoder);
		break;
	case 'd':
		value = decode_dict(decoder);
		break;
	default:
		value = decode_leaf(decoder);
		break;
	}
	Py_LeaveRecursiveCall();
	return value;
}

static PyObject *decode_value(struct decoder *decoder)
{
	uint8_t tag;

	if (left(decoder) == 0)
		return damaged("it has no end");
	tag = *decoder->next++;
	switch (tag) {
	case 's':
	case 'b':
	case 'a':
	case 'A':
	case 'B':
		return numbered(decoder, decode_text(decoder, tag));
	case 'l':
	case 't':
	case 'd':
	case 'n':
		return decode_container(decoder, tag);
	case 'r':
		return decode_again(decoder);
	default:
		return decode_scalar(decoder, tag);
	}
}

PyObject *tree_decode(PyObject *module, PyObject *args)
{
	struct decoder decoder = {};
	PyObject *value = NULL;
	Py_buffer head;

	if (!PyArg_ParseTuple(args, "y*O!O:tree_decode", &head, &PyList_Type, &decoder.segments,
		    &decoder.leaf))
		return NULL;
	decoder.next = head.buf;
	decoder.end = decoder.next + head.len;
	decoder.numbered = PyList_New(0);
	if (decoder.numbered)
		value = decode_value(&decoder);
	if (value && left(&decoder)) {
		Py_CLEAR(value);
		damaged("bytes after the end");
	}
	Py_XDECREF(decoder.numbered);
	PyBuffer_Release(&head);
	return value;
}
