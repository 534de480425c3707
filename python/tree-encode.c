/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-encode.c - values without pickle: a small encoding that describes itself
 *
 * What only pickle can carry is refused, so that everything in this encoding can
 * be decoded for anybody (tree-decode.c).  ostore-python(7) documents the format:
 *
 *   value = 'N' None    'T' True    'F' False
 *           'i' zigzag varint       'I' varint n, n bytes: hexadecimal text
 *           'f' 8 bytes: double     'c' 16 bytes: two doubles
 *         * 's' varint n, n bytes: UTF-8 (surrogates pass)
 *         * 'b' varint n, n bytes: bytes        * 'a' the same: bytearray
 *         * 'B' the next segment: bytes         * 'A' the same: bytearray
 *         * 'l' varint n, n values: list        * 'd' varint n, n pairs: dict
 *         * 't' varint n, n values: tuple
 *         * 'n' value (str), the next segment: what leaf makes of these
 *           'r' varint: the value with this number, again
 *
 * Values with a star are numbered from 0: lists and dicts when they begin, the
 * others when they end.  So an object that occurs twice is one object again,
 * and a list may contain itself.  Numbers are little-endian.
 */
#include "module.h"

#include <endian.h>
#include <string.h>

/* Bytes from this size on become a segment, which is copied once, not twice. */
#define SEGMENT_MIN 1024

enum { ENCODED = 0, FAILED = -1, NOT_PLAIN = 1 };

#define UNFINISHED SIZE_MAX

struct memo_entry {
	PyObject *object; /* a reference, so that no address comes twice */
	size_t number;    /* UNFINISHED: a tuple whose values are being encoded */
};

/* Which objects were numbered: open addressing, at most half full. */
struct memo {
	struct memo_entry *entries;
	size_t n_slots, n_used; /* n_slots is a power of two */
	size_t next_number;
};

struct encoder {
	PyObject *leaf, *segments;
	struct memo memo;
	uint8_t *bytes;
	size_t size, room;
};

static struct memo_entry *memo_slot(const struct memo *memo, PyObject *object)
{
	size_t i = ((uintptr_t)object >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20;

	for (;; i++) {
		struct memo_entry *entry = &memo->entries[i & (memo->n_slots - 1)];

		if (!entry->object || entry->object == object)
			return entry;
	}
}

static int memo_grow(struct memo *memo)
{
	struct memo old = *memo;

	memo->n_slots = old.n_slots ? old.n_slots * 2 : 64;
	memo->entries = PyMem_Calloc(memo->n_slots, sizeof(*memo->entries));
	if (!memo->entries) {
		*memo = old;
		PyErr_NoMemory();
		return FAILED;
	}
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.entries[i].object)
			*memo_slot(memo, old.entries[i].object) = old.entries[i];
	PyMem_Free(old.entries);
	return 0;
}

static int memo_set(struct memo *memo, PyObject *object, size_t number)
{
	struct memo_entry *entry;

	if (memo->n_used * 2 >= memo->n_slots && memo_grow(memo) < 0)
		return FAILED;
	entry = memo_slot(memo, object);
	if (!entry->object) {
		Py_INCREF(object);
		entry->object = object;
		memo->n_used++;
	}
	entry->number = number;
	return 0;
}

static int memo_add(struct memo *memo, PyObject *object)
{
	return memo_set(memo, object, memo->next_number++);
}

static const struct memo_entry *memo_find(const struct memo *memo, PyObject *object)
{
	const struct memo_entry *entry;

	if (memo->n_slots == 0)
		return NULL;
	entry = memo_slot(memo, object);
	return entry->object ? entry : NULL;
}

static void memo_free(struct memo *memo)
{
	for (size_t i = 0; i < memo->n_slots; i++)
		Py_XDECREF(memo->entries[i].object);
	PyMem_Free(memo->entries);
}

static int emit(struct encoder *encoder, const void *bytes, size_t size)
{
	if (size > encoder->room - encoder->size) {
		size_t room = encoder->room + encoder->room / 2 + size + 64;
		uint8_t *grown = PyMem_Realloc(encoder->bytes, room);

		if (!grown) {
			PyErr_NoMemory();
			return FAILED;
		}
		encoder->bytes = grown;
		encoder->room = room;
	}
	memcpy(encoder->bytes + encoder->size, bytes, size);
	encoder->size += size;
	return 0;
}

/* A tag and a varint: seven bits a byte, the lowest first, bit 7 means more. */
static int emit_tag(struct encoder *encoder, char tag, uint64_t number)
{
	uint8_t bytes[11] = {(uint8_t)tag};
	size_t n = 1;

	for (; number >= 0x80; number >>= 7)
		bytes[n++] = (uint8_t)(number | 0x80);
	bytes[n++] = (uint8_t)number;
	return emit(encoder, bytes, n);
}

static int emit_counted(struct encoder *encoder, char tag, const void *bytes, Py_ssize_t size)
{
	if (emit_tag(encoder, tag, (uint64_t)size) < 0)
		return FAILED;
	return emit(encoder, bytes, (size_t)size);
}

static int emit_double(struct encoder *encoder, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits = htole64(bits);
	return emit(encoder, &bits, sizeof(bits));
}

static int encode_long(struct encoder *encoder, PyObject *value)
{
	int overflow, r;
	long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
	PyObject *text;
	const char *digits;
	Py_ssize_t size;

	if (!overflow) {
		if (number == -1 && PyErr_Occurred())
			return FAILED;
		return emit_tag(encoder, 'i', (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
	}
	text = PyNumber_ToBase(value, 16);
	digits = text ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
	r = digits ? emit_counted(encoder, 'I', digits, size) : FAILED;
	Py_XDECREF(text);
	return r;
}

static int encode_str(struct encoder *encoder, PyObject *value)
{
	Py_ssize_t size;
	const char *text = PyUnicode_AsUTF8AndSize(value, &size);
	PyObject *bytes = NULL;
	int r;

	if (!text) { /* lone surrogates */
		if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
			return FAILED;
		PyErr_Clear();
		bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
		if (!bytes)
			return FAILED;
		text = PyBytes_AsString(bytes);
		size = PyBytes_Size(bytes);
	}
	r = emit_counted(encoder, 's', text, size);
	Py_XDECREF(bytes);
	return r < 0 ? FAILED : memo_add(&encoder->memo, value);
}

static int encode_bytes(struct encoder *encoder, PyObject *value, bool is_array)
{
	Py_ssize_t size = is_array ? PyByteArray_Size(value) : PyBytes_Size(value);
	const char *bytes = is_array ? PyByteArray_AsString(value) : PyBytes_AsString(value);
	int r;

	if (size < SEGMENT_MIN)
		r = emit_counted(encoder, is_array ? 'a' : 'b', bytes, size);
	else if (emit(encoder, is_array ? "A" : "B", 1) < 0)
		r = FAILED;
	else
		r = PyList_Append(encoder->segments, value);
	return r < 0 ? FAILED : memo_add(&encoder->memo, value);
}

static int encode_value(struct encoder *encoder, PyObject *value);

/* Encode item i of a list or tuple of n; another thread may have shortened it. */
static int encode_item(struct encoder *encoder, PyObject *sequence, Py_ssize_t i, bool is_list)
{
	PyObject *item = is_list ? PyList_GetItem(sequence, i) : PyTuple_GetItem(sequence, i);
	int r;

	if (!item)
		return FAILED;
	Py_INCREF(item);
	r = encode_value(encoder, item);
	Py_DECREF(item);
	return r;
}

static int encode_list(struct encoder *encoder, PyObject *value)
{
	Py_ssize_t n = PyList_Size(value);
	int r = 0;

	if (emit_tag(encoder, 'l', (uint64_t)n) < 0 || memo_add(&encoder->memo, value) < 0)
		return FAILED;
	for (Py_ssize_t i = 0; r == 0 && i < n; i++)
		r = encode_item(encoder, value, i, true);
	return r;
}

static int encode_tuple(struct encoder *encoder, PyObject *value)
{
	Py_ssize_t n = PyTuple_Size(value);
	int r = 0;

	if (emit_tag(encoder, 't', (uint64_t)n) < 0 || memo_set(&encoder->memo, value, UNFINISHED) < 0)
		return FAILED;
	for (Py_ssize_t i = 0; r == 0 && i < n; i++)
		r = encode_item(encoder, value, i, false);
	return r == 0 ? memo_add(&encoder->memo, value) : r;
}

static int encode_dict(struct encoder *encoder, PyObject *value)
{
	PyObject *items = PyDict_Items(value); /* a list: nobody can change it meanwhile */
	Py_ssize_t n;
	int r = 0;

	if (!items)
		return FAILED;
	n = PyList_Size(items);
	if (emit_tag(encoder, 'd', (uint64_t)n) < 0 || memo_add(&encoder->memo, value) < 0)
		r = FAILED;
	for (Py_ssize_t i = 0; r == 0 && i < n; i++) {
		PyObject *item = PyList_GetItem(items, i);

		r = encode_item(encoder, item, 0, false);
		if (r == 0)
			r = encode_item(encoder, item, 1, false);
	}
	Py_DECREF(items);
	return r;
}

/* An array, or a value that only pickle can carry. */
static int encode_leaf(struct encoder *encoder, PyObject *value)
{
	PyObject *answer = PyObject_CallFunctionObjArgs(encoder->leaf, value, NULL);
	PyObject *description, *buffer;
	int r;

	if (!answer)
		return FAILED;
	if (answer == Py_None) {
		Py_DECREF(answer);
		return NOT_PLAIN;
	}
	if (!PyArg_ParseTuple(answer, "UO:leaf", &description, &buffer) ||
		emit(encoder, "n", 1) < 0 || encode_value(encoder, description) < 0 ||
		PyList_Append(encoder->segments, buffer) < 0)
		r = FAILED;
	else
		r = memo_add(&encoder->memo, value);
	Py_DECREF(answer);
	return r;
}

static int encode_container(struct encoder *encoder, PyObject *value, PyObject *type)
{
	int r;

	if (Py_EnterRecursiveCall(" while a value is stored"))
		return FAILED;
	if (type == (PyObject *)&PyList_Type)
		r = encode_list(encoder, value);
	else if (type == (PyObject *)&PyDict_Type)
		r = encode_dict(encoder, value);
	else if (type == (PyObject *)&PyTuple_Type)
		r = encode_tuple(encoder, value);
	else
		r = encode_leaf(encoder, value);
	Py_LeaveRecursiveCall();
	return r;
}

/* Exact types only: a subclass is more than its bytes, and pickle's business. */
static int encode_value(struct encoder *encoder, PyObject *value)
{
	PyObject *type = (PyObject *)Py_TYPE(value);
	const struct memo_entry *entry;

	if (value == Py_None)
		return emit(encoder, "N", 1);
	if (value == Py_True)
		return emit(encoder, "T", 1);
	if (value == Py_False)
		return emit(encoder, "F", 1);
	if (type == (PyObject *)&PyLong_Type)
		return encode_long(encoder, value);
	if (type == (PyObject *)&PyFloat_Type)
		return emit(encoder, "f", 1) < 0 ? FAILED
						 : emit_double(encoder, PyFloat_AsDouble(value));
	if (type == (PyObject *)&PyComplex_Type)
		return emit(encoder, "c", 1) < 0 ||
				       emit_double(encoder, PyComplex_RealAsDouble(value)) < 0
			       ? FAILED
			       : emit_double(encoder, PyComplex_ImagAsDouble(value));
	entry = memo_find(&encoder->memo, value);
	if (entry && entry->number == UNFINISHED)
		return NOT_PLAIN; /* a tuple in itself */
	if (entry)
		return emit_tag(encoder, 'r', entry->number);
	if (type == (PyObject *)&PyUnicode_Type)
		return encode_str(encoder, value);
	if (type == (PyObject *)&PyBytes_Type)
		return encode_bytes(encoder, value, false);
	if (type == (PyObject *)&PyByteArray_Type)
		return encode_bytes(encoder, value, true);
	return encode_container(encoder, value, type);
}

PyObject *tree_encode(PyObject *module, PyObject *args)
{
	struct encoder encoder = {};
	PyObject *value, *result = NULL;
	int r;

	if (!PyArg_ParseTuple(args, "OO:tree_encode", &value, &encoder.leaf))
		return NULL;
	encoder.segments = PyList_New(0);
	if (!encoder.segments)
		return NULL;
	r = encode_value(&encoder, value);
	if (r == NOT_PLAIN) {
		Py_INCREF(Py_None);
		result = Py_None;
	} else if (r == ENCODED) {
		result = Py_BuildValue("(y#O)", (const char *)encoder.bytes, (Py_ssize_t)encoder.size,
			encoder.segments);
	}
	memo_free(&encoder.memo);
	PyMem_Free(encoder.bytes);
	Py_DECREF(encoder.segments);
	return result;
}
