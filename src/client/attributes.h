/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of labels and of their keys, as callers give them and as they are carried. */
#ifndef CLIENT_ATTRIBUTES_H
#define CLIENT_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

/* n texts, one after the other, each with its NUL; allocated, NULL for none.
 * Return: 0, or a negative errno with its sentence. */
int texts_join(const char *const *texts, size_t n, char **joinedp, uint32_t *sizep);

/* The same for labels "key=value", which are checked. */
int labels_join(const char *const *labels, size_t n, char **joinedp, uint32_t *sizep);

/* -EINVAL with a sentence, unless it is one. */
int check_priority(int priority);

#endif
