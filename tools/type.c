/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an object is, said in a word or two, from the metadata that the Python
 * module writes (ostore-python(7), "FORMAT").  The metadata is anybody's: what
 * does not fit the format has no type, and nothing is wrong.
 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "fields.h"
#include "report.h"
#include "util/cleanup.h"

#define TAG "ostore-python/1 "

/* "<f8[70000,784]" */
static char *describe_array(json_t *description)
{
	json_t *shape = json_object_get(description, "shape"), *length;
	const char *dtype = json_string_value(json_object_get(description, "dtype"));
	char *text = xasprintf("%s[", dtype ? dtype : "struct");
	size_t i;

	json_array_foreach (shape, i, length) {
		CLEANUP_FREE char *before = text;

		text = xasprintf("%s%s%lld", before, i ? "," : "",
			(long long)json_integer_value(length));
	}
	CLEANUP_FREE char *before = text;
	return xasprintf("%s]", before);
}

char *describe_type(const void *metadata, size_t size)
{
	const size_t tag = strlen(TAG);
	const char *kind, *type;
	json_t *description;
	char *text;

	if (!metadata || size < tag || memcmp(metadata, TAG, tag) != 0)
		return xstrdup("");
	description = json_loadb((const char *)metadata + tag, size - tag, 0, NULL);
	kind = json_string_value(json_object_get(description, "kind"));
	type = json_string_value(json_object_get(description, "type"));
	if (!kind)
		text = xstrdup("");
	else if (strcmp(kind, "array") == 0)
		text = describe_array(description);
	else if (strcmp(kind, "pickle") == 0)
		text = xasprintf("%s (pickle)", type ? type : "object");
	else
		text = xstrdup(type ? type : kind);
	json_decref(description);
	return text;
}
