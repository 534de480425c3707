/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/fields.h - groups of attributes that more than one command writes */
#ifndef TOOLS_FIELDS_H
#define TOOLS_FIELDS_H

#include "writer.h"

/* The attributes of one object (ls, stat), into an object that is open. */
void write_info(struct writer *writer, const struct ostore_info *info);

/* describe_type() - what a Python value is ("<f8[70000,784]", "dict"), "" for anything else
 * @metadata: size bytes of the object's metadata, may be NULL
 * Return: allocated text. */
char *describe_type(const void *metadata, size_t size);

/* "features" of a broker (status, doctor), into an object that is open: those that the
 * manual names first, whatever the broker sends.  Borrows from stats until the writer is freed. */
void write_features(struct writer *writer, const struct ostore_stats *stats);

/* Is name one of the n names? */
bool is_listed(const char *const *names, size_t n, const char *name);

#endif
