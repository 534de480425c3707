/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table of options here, one of keys in configuration.c; help, --long-options and
 * parsing come from them.  Not getopt_long(): its table would be a third, and its
 * abbreviations would make every new key a possible break of somebody's script.
 */
#include "ostored/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ostored/configuration.h"
#include "util/cleanup.h"

enum option {
	OPTION_CONFIG,
	OPTION_PRIVATE,
	OPTION_STARTER,
	OPTION_READY_FD,
	OPTION_NO_SUPERVISOR,
	OPTION_CHECK_CONFIG,
	OPTION_DUMP_CONFIG,
	OPTION_LONG_OPTIONS,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_N,
};

static const struct {
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
} option_infos[OPTION_N] = {
	[OPTION_CONFIG] = { "config", "FILE",
		"Read FILE and FILE.d/*.conf instead of the default configuration files." },
	[OPTION_PRIVATE] = { "private", NULL,
		"A broker for one program and its children: no configuration file unless --config, no "
		"privilege, a session of its own, a socket in a fresh directory." },
	[OPTION_STARTER] = { "starter", "PID",
		"With --private: end one second after this process and the last connection are gone." },
	[OPTION_READY_FD] = { "ready-fd", "FD",
		"Write the socket's path and a newline to this inherited descriptor when clients can "
		"connect, then close it." },
	[OPTION_NO_SUPERVISOR] = { "no-supervisor", NULL,
		"Run the worker alone, for valgrind and gdb; nothing takes over when it dies." },
	[OPTION_CHECK_CONFIG] = { "check-config", NULL,
		"Check the configuration, say what is wrong with it, and exit." },
	[OPTION_DUMP_CONFIG] = { "dump-config", NULL,
		"Print each key, its value, the number it comes to here, and where it was set, separated "
		"by tabs, and exit." },
	[OPTION_LONG_OPTIONS] = { "long-options", NULL, "Print every option, one a line, and exit." },
	[OPTION_HELP] = { "help", NULL, "Print this and exit." },
	[OPTION_VERSION] = { "version", NULL, "Print the version and exit." },
};

static int parse_number(int *numberp, const char *text, int min)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end == text || *end || errno || number < min || number > INT_MAX)
		return -EINVAL;
	*numberp = number;
	return 0;
}

static int apply(struct options *options, enum option option, const char *value,
	struct text *error)
{
	int number;

	switch (option) {
	case OPTION_CONFIG:
		options->config_file = value;
		return 0;
	case OPTION_PRIVATE:
		options->private_mode = true;
		return 0;
	case OPTION_STARTER:
		if (parse_number(&number, value, 1) < 0) {
			text_set(error, "--starter=%s: not a process id", value);
			return -EINVAL;
		}
		options->starter = number;
		return 0;
	case OPTION_READY_FD:
		/* 0 to 2 have a meaning already */
		if (parse_number(&number, value, 3) < 0) {
			text_set(error, "--ready-fd=%s: not a descriptor above 2", value);
			return -EINVAL;
		}
		options->ready_fd = number;
		return 0;
	case OPTION_NO_SUPERVISOR:
		options->supervisor = false;
		return 0;
	case OPTION_CHECK_CONFIG:
		options->action = OPTIONS_CHECK_CONFIG;
		return 0;
	case OPTION_DUMP_CONFIG:
		options->action = OPTIONS_DUMP_CONFIG;
		return 0;
	case OPTION_LONG_OPTIONS:
		options->action = OPTIONS_LONG_OPTIONS;
		return 0;
	case OPTION_HELP:
		options->action = OPTIONS_HELP;
		return 0;
	case OPTION_VERSION:
		options->action = OPTIONS_VERSION;
		return 0;
	case OPTION_N:
		break;
	}
	return -EINVAL;
}

static int find_option(const char *name, size_t length)
{
	for (int i = 0; i < OPTION_N; i++)
		if (strlen(option_infos[i].name) == length && memcmp(option_infos[i].name, name, length) == 0)
			return i;
	return -1;
}

static int add_key(struct options *options, const char *name, size_t length, const char *value)
{
	struct options_key *more;
	char *key = strndup(name, length);

	if (!key)
		return -ENOMEM;
	more = reallocarray(options->keys, options->n_keys + 1, sizeof *more);
	if (!more) {
		free(key);
		return -ENOMEM;
	}
	more[options->n_keys] = (struct options_key){ .key = key, .value = value };
	options->keys = more;
	options->n_keys++;
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, struct text *error)
{
	*options = (struct options){ .supervisor = true, .ready_fd = -1 };
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *equals, *value;
		size_t length;
		int option, r;

		if (strncmp(name, "--", 2) != 0 || name[2] == '\0') {
			text_set(error, "unexpected word \"%s\"; see ostored --help", name);
			return -EINVAL;
		}
		name += 2;
		equals = strchr(name, '=');
		value = equals ? equals + 1 : NULL;
		length = equals ? (size_t)(equals - name) : strlen(name);
		option = find_option(name, length);
		if (option >= 0 && !option_infos[option].value) {
			if (value) {
				text_set(error, "--%s takes no value", option_infos[option].name);
				return -EINVAL;
			}
		} else if (!value) {
			if (++i == argc) {
				text_set(error, option < 0 ? "--%s: no such option, and no value; see ostored --help" :
							     "--%s needs a value", name);
				return -EINVAL;
			}
			value = argv[i];
		}
		r = option < 0 ? add_key(options, name, length, value) :
				 apply(options, option, value, error);
		if (r < 0)
			return r;
	}
	if (options->starter && !options->private_mode) {
		text_set(error, "--starter goes with --private");
		return -EINVAL;
	}
	return 0;
}

void options_deinit(struct options *options)
{
	for (size_t i = 0; i < options->n_keys; i++)
		free(options->keys[i].key);
	free(options->keys);
	options->keys = NULL;
	options->n_keys = 0;
}

/* Words of text, indented by 8, lines of at most 80 columns. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column > 0 && column + 1 + length > 80) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0) {
			fprintf(out, "%8s", "");
			column = 8;
		} else {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, length, out);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void options_help(FILE *out)
{
	fprintf(out, "usage: ostored [OPTION...] [--KEY=VALUE...]\n"
		     "Keep objects in shared memory for the programs of this machine.\n\n"
		     "Options:\n");
	for (size_t i = 0; i < OPTION_N; i++) {
		fprintf(out, "  --%s%s%s\n", option_infos[i].name, option_infos[i].value ? "=" : "",
			option_infos[i].value ? option_infos[i].value : "");
		print_wrapped(out, option_infos[i].help);
	}
	fprintf(out, "\nKeys, also for " OSTORE_SYSCONFDIR "/ostored.conf as KEY = VALUE:\n");
	for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
		const struct config_info *info = &config_infos[i];

		fprintf(out, "  --%s=%s  (default %s)\n", info->name, info->value, info->fallback);
		print_wrapped(out, info->help);
		fprintf(out, "        Allowed: %s.\n", info->allowed);
	}
}

void options_long(FILE *out)
{
	for (size_t i = 0; i < OPTION_N; i++)
		fprintf(out, "--%s\n", option_infos[i].name);
	for (size_t i = 0; i < CONFIG_N_KEYS; i++)
		fprintf(out, "--%s\n", config_infos[i].name);
}
