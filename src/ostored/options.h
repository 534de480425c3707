/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: what to do, and the keys of configuration.h as --KEY=VALUE. */
#ifndef OSTORED_OPTIONS_H
#define OSTORED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "util/text.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_CHECK_CONFIG,
	OPTIONS_DUMP_CONFIG,
	OPTIONS_LONG_OPTIONS,
};

struct options {
	enum options_action action;
	const char *config_file; /* NULL: the default places */
	bool private_mode;
	bool supervisor;
	pid_t starter; /* 0: nobody is watched */
	int ready_fd;  /* -1: none */
	struct options_key {
		char *key;
		const char *value;
	} *keys; /* in the order given; owned */
	size_t n_keys;
};

/* options_parse() - argv to options
 * @error: the sentence for a wrong option
 * Return: 0, -EINVAL, -ENOMEM. */
int options_parse(struct options *options, int argc, char **argv, struct text *error);
void options_deinit(struct options *options);

void options_help(FILE *out);
/* Every long option, keys included, one a line: for completion and tests. */
void options_long(FILE *out);

#endif
