/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calling thread's last sentence.  Any thread. */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

/* fail() - remember why; the sentence names object, cause and what to do
 * Return: error, so that callers can write return fail(-EINVAL, ...). */
int fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fail_memory() - fail(-ENOMEM) for when even a format is too much to ask. */
int fail_memory(void);

/* Put words in front of the calling thread's sentence. */
void fail_prepend(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a broker's negative errno means, for replies that came without a sentence. */
const char *error_cause(int error);

#endif
