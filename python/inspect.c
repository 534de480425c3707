/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect.c - list(), stats() and memory() as Python dicts
 *
 * The keys are those of `osctl --json ls` and `osctl --json status`: a program
 * may read either.  Sizes are bytes, times ns, ids hex, the mode an octal string.
 */
#include "module.h"

#include <stdio.h>
#include <string.h>

/* Put a new value (NULL: its making failed) into a dict. */
static int set(PyObject *dict, const char *key, PyObject *value)
{
	int r;

	if (!value)
		return -1;
	r = PyDict_SetItemString(dict, key, value);
	Py_DECREF(value);
	return r;
}

static int set_u64(PyObject *dict, const char *key, uint64_t value)
{
	return set(dict, key, PyLong_FromUnsignedLongLong(value));
}

static int set_i64(PyObject *dict, const char *key, int64_t value)
{
	return set(dict, key, PyLong_FromLongLong(value));
}

static int set_bool(PyObject *dict, const char *key, bool value)
{
	return set(dict, key, PyBool_FromLong(value));
}

static int set_text(PyObject *dict, const char *key, const char *value)
{
	return set(dict, key, PyUnicode_DecodeFSDefault(value));
}

static PyObject *names_list(const char *const *names)
{
	PyObject *list = PyList_New(0);

	for (; list && names && *names; names++) {
		PyObject *name = PyUnicode_DecodeFSDefault(*names);

		if (!name || PyList_Append(list, name) < 0)
			Py_CLEAR(list);
		Py_XDECREF(name);
	}
	return list;
}

static PyObject *labels_dict(const char *const *labels)
{
	PyObject *dict = PyDict_New();

	for (; dict && labels && *labels; labels++) {
		const char *value = strchr(*labels, '=');
		PyObject *key = value ? PyUnicode_FromStringAndSize(*labels, value - *labels) : NULL;
		PyObject *text = value ? PyUnicode_FromString(value + 1) : NULL;

		if (!key || !text || PyDict_SetItem(dict, key, text) < 0)
			Py_CLEAR(dict);
		Py_XDECREF(key);
		Py_XDECREF(text);
	}
	return dict;
}

static int fill_info(PyObject *dict, const struct ostore_info *info)
{
	char hex[33], mode[16];

	snprintf(mode, sizeof(mode), "%04o", (unsigned int)(info->mode & 07777));
	return set_text(dict, "id", ostore_id_format(&info->id, hex)) < 0 ||
			       set_u64(dict, "size", info->size) < 0 ||
			       set_u64(dict, "metadata_size", info->metadata_size) < 0 ||
			       set_text(dict, "state", ostore_state_name(info->state)) < 0 ||
			       set_u64(dict, "refs", info->refs) < 0 ||
			       set_u64(dict, "pins", info->pins) < 0 ||
			       set_u64(dict, "uid", info->uid) < 0 ||
			       set_u64(dict, "gid", info->gid) < 0 ||
			       set_text(dict, "mode", mode) < 0 ||
			       set_i64(dict, "created_ns", info->created_ns) < 0 ||
			       set_i64(dict, "last_access_ns", info->last_access_ns) < 0 ||
			       set_u64(dict, "accesses", info->accesses) < 0 ||
			       set(dict, "names", names_list(info->names)) < 0 ||
			       set(dict, "labels", labels_dict(info->labels)) < 0 ||
			       set_i64(dict, "expires_ns", info->expires_ns) < 0 ||
			       set_i64(dict, "priority", info->priority) < 0 ||
			       set_bool(dict, "pinned", info->pinned) < 0 ||
			       set_bool(dict, "held", info->held) < 0 ||
			       set_text(dict, "call_site", info->call_site ? info->call_site : "") < 0
		       ? -1
		       : 0;
}

static PyObject *info_list(const struct ostore_info *infos, size_t n)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < n; i++) {
		PyObject *dict = PyDict_New();

		if (!dict || fill_info(dict, &infos[i]) < 0 || PyList_Append(list, dict) < 0)
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

/* (pattern or None, tuple of labels) */
static int parse_filter(struct ostore_filter *filter, struct texts *labels, PyObject *args)
{
	PyObject *tuple;

	if (!PyArg_ParseTuple(args, "zO!:filter", &filter->pattern, &PyTuple_Type, &tuple) ||
		texts_parse(labels, tuple) < 0)
		return -1;
	filter->size = sizeof(*filter);
	filter->labels = labels->texts;
	filter->n_labels = labels->n;
	return 0;
}

/* What a call that looks ended with: the exception, unless it went well. */
static int end_look(PyObject *self, int r)
{
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	connection_leave((struct connection *)self);
	return r;
}

PyObject *connection_list(PyObject *self, PyObject *args)
{
	struct ostore_filter filter;
	struct ostore_info *infos = NULL;
	struct texts labels = {};
	struct ostore *ostore;
	PyObject *list;
	size_t n = 0;
	int r;

	ostore = parse_filter(&filter, &labels, args) < 0 ?
			       NULL :
			       connection_enter((struct connection *)self);
	if (!ostore) {
		texts_free(&labels);
		return NULL;
	}
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_list_matching(ostore, &filter, &infos, &n);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	r = end_look(self, r);
	texts_free(&labels);
	if (r < 0)
		return NULL;
	list = info_list(infos, n);
	ostore_list_free(infos);
	return list;
}

static const char *kind_name(enum ostore_holder_kind kind)
{
	switch (kind) {
	case OSTORE_HOLDER_CONNECTION:
		return "connection";
	case OSTORE_HOLDER_NAME:
		return "name";
	case OSTORE_HOLDER_LEASE:
		return "lease";
	}
	return "other";
}

static PyObject *holder_dict(const struct ostore_holder *holder)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_text(dict, "kind", kind_name(holder->kind)) < 0 ||
			    set(dict, "pid", holder->pid > 0 ? PyLong_FromLong(holder->pid)
							     : Py_NewRef(Py_None)) < 0 ||
			    set_u64(dict, "uid", holder->uid) < 0 ||
			    set_text(dict, "comm", holder->comm ? holder->comm : "") < 0 ||
			    set_text(dict, "name", holder->name ? holder->name : "") < 0 ||
			    set_u64(dict, "refs", holder->refs) < 0 ||
			    set_u64(dict, "pins", holder->pins) < 0 ||
			    set_i64(dict, "expires_ns", holder->expires_ns) < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *holders_list(const struct ostore_stat *stat)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < stat->n_holders; i++) {
		PyObject *dict = holder_dict(&stat->holders[i]);

		if (!dict || PyList_Append(list, dict) < 0)
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

static PyObject *stat_list(const struct ostore_stat *stats, size_t n)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < n; i++) {
		PyObject *dict = PyDict_New();

		if (!dict || fill_info(dict, &stats[i].info) < 0 ||
			set_u64(dict, "charged_bytes", stats[i].charged_bytes) < 0 ||
			set_bool(dict, "deleted", stats[i].deleted) < 0 ||
			set(dict, "holders", holders_list(&stats[i])) < 0 ||
			PyList_Append(list, dict) < 0)
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

PyObject *connection_memory(PyObject *self, PyObject *args)
{
	struct ostore_filter filter;
	struct ostore_stat *stats = NULL;
	struct texts labels = {};
	struct ostore *ostore;
	PyObject *list;
	size_t n = 0;
	int r;

	ostore = parse_filter(&filter, &labels, args) < 0 ?
			       NULL :
			       connection_enter((struct connection *)self);
	if (!ostore) {
		texts_free(&labels);
		return NULL;
	}
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_memory(ostore, &filter, &stats, &n);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	r = end_look(self, r);
	texts_free(&labels);
	if (r < 0)
		return NULL;
	list = stat_list(stats, n);
	ostore_memory_free(stats);
	return list;
}

static PyObject *counters_dict(const struct ostore_stats *stats)
{
	PyObject *dict = PyDict_New();

	for (size_t i = 0; dict && i < stats->n_counters; i++)
		if (set_u64(dict, stats->counters[i].name, stats->counters[i].value) < 0)
			Py_CLEAR(dict);
	return dict;
}

static PyObject *feature_dict(const struct ostore_feature *feature)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_bool(dict, "on", feature->on) < 0 ||
			    set_text(dict, "reason", feature->reason ? feature->reason : "") < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *features_dict(const struct ostore_stats *stats)
{
	PyObject *dict = PyDict_New();

	for (size_t i = 0; dict && i < stats->n_features; i++)
		if (set(dict, stats->features[i].name, feature_dict(&stats->features[i])) < 0)
			Py_CLEAR(dict);
	return dict;
}

static PyObject *usage_dict(const struct ostore_usage *user)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_u64(dict, "bytes", user->bytes) < 0 ||
			    set_u64(dict, "objects", user->objects) < 0 ||
			    set_u64(dict, "descriptors", user->descriptors) < 0 ||
			    set_u64(dict, "connections", user->connections) < 0 ||
			    set_u64(dict, "requests", user->requests) < 0 ||
			    set_u64(dict, "references", user->references) < 0 ||
			    set_u64(dict, "names", user->names) < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *users_dict(const struct ostore_stats *stats)
{
	PyObject *dict = PyDict_New();
	char uid[16];

	for (size_t i = 0; dict && i < stats->n_users; i++) {
		snprintf(uid, sizeof uid, "%u", stats->users[i].uid);
		if (set(dict, uid, usage_dict(&stats->users[i])) < 0)
			Py_CLEAR(dict);
	}
	return dict;
}

static PyObject *objects_dict(const struct ostore_stats *stats)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_u64(dict, "created", stats->objects_created) < 0 ||
			    set_u64(dict, "resident", stats->objects_resident) < 0 ||
			    set_u64(dict, "spilled", stats->objects_spilled) < 0 ||
			    set_u64(dict, "paging", stats->objects_paging) < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *rates_dict(const struct ostore_stats *stats)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_u64(dict, "spill_bytes_per_s", stats->spill_bytes_per_s) < 0 ||
			    set_u64(dict, "restore_bytes_per_s", stats->restore_bytes_per_s) < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *broker_dict(const struct ostore_stats *stats, const char *address)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_text(dict, "address", address) < 0 ||
			    set_text(dict, "version", stats->version) < 0 ||
			    set_i64(dict, "supervisor_pid", stats->supervisor_pid) < 0 ||
			    set_i64(dict, "worker_pid", stats->worker_pid) < 0 ||
			    set_u64(dict, "generation", stats->generation) < 0 ||
			    set_u64(dict, "descriptors", stats->descriptors) < 0 ||
			    set_u64(dict, "max_descriptors", stats->max_descriptors) < 0))
		Py_CLEAR(dict);
	return dict;
}

static PyObject *stats_dict(const struct ostore_stats *stats, const char *address)
{
	PyObject *dict = PyDict_New();

	if (dict && (set_u64(dict, "capacity_bytes", stats->capacity_bytes) < 0 ||
			    set_u64(dict, "configured_capacity_bytes",
				    stats->configured_capacity_bytes) < 0 ||
			    set_text(dict, "capacity_limited_by", stats->capacity_limited_by) < 0 ||
			    set_u64(dict, "used_bytes", stats->used_bytes) < 0 ||
			    set_u64(dict, "resident_bytes", stats->resident_bytes) < 0 ||
			    set_u64(dict, "pinned_bytes", stats->pinned_bytes) < 0 ||
			    set_u64(dict, "spilled_bytes", stats->spilled_bytes) < 0 ||
			    set_u64(dict, "pool_bytes", stats->pool_bytes) < 0 ||
			    set_u64(dict, "pack_bytes", stats->pack_bytes) < 0 ||
			    set_u64(dict, "packed_bytes", stats->packed_bytes) < 0 ||
			    set_u64(dict, "packed_objects", stats->packed_objects) < 0 ||
			    set(dict, "objects", objects_dict(stats)) < 0 ||
			    set_u64(dict, "clients", stats->clients) < 0 ||
			    set_u64(dict, "queue_length", stats->queue_length) < 0 ||
			    set(dict, "counters", counters_dict(stats)) < 0 ||
			    set(dict, "rates", rates_dict(stats)) < 0 ||
			    set_bool(dict, "thrashing", stats->thrashing) < 0 ||
			    set(dict, "features", features_dict(stats)) < 0 ||
			    set(dict, "users", users_dict(stats)) < 0 ||
			    set(dict, "broker", broker_dict(stats, address)) < 0))
		Py_CLEAR(dict);
	return dict;
}

PyObject *connection_stats(PyObject *self, PyObject *unused)
{
	struct connection *connection = (struct connection *)self;
	struct ostore *ostore = connection_enter(connection);
	struct ostore_stats *stats = NULL;
	PyObject *dict;
	int r;

	if (!ostore)
		return NULL;
	do {
		Py_BEGIN_ALLOW_THREADS
		r = ostore_stats(ostore, &stats);
		Py_END_ALLOW_THREADS
	} while (r == -EINTR && PyErr_CheckSignals() == 0);
	if (r < 0 && !PyErr_Occurred())
		raise_error(module_state_of(self), r);
	dict = r < 0 ? NULL : stats_dict(stats, ostore_address(ostore));
	connection_leave(connection);
	ostore_stats_free(stats);
	return dict;
}
