/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tools/osctl.h - what the commands of osctl share
 *
 * A command is one row of the table in commands.c and one function.  Dispatch,
 * help, completion and the tests of the manual page all read that table.
 *
 * A command checks its words first (a usage error needs no broker), then
 * connects, then works, and writes its output last: a command that fails has
 * printed nothing on standard output (but for `events`, which is a stream), and
 * one line on standard error.
 */
#ifndef TOOLS_OSCTL_H
#define TOOLS_OSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ostore.h>

/* Exit statuses: public, see osctl(1). */
enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_NO_BROKER = 3,
	STATUS_NOT_FOUND = 4,
	STATUS_FULL = 5,
	STATUS_TIMEOUT = 6,
};

struct option_spec {
	const char *name;     /* long form, without "--" */
	char letter;          /* short form, 0: none */
	const char *argument; /* what it takes, NULL: nothing */
	const char *help;
	bool many;            /* may be given again and again */
};

struct invocation;

#define ARGS_MANY 1000000

struct command {
	const char *name;
	int min_args, max_args;
	const char *arguments; /* "" when it takes none */
	const char *summary;   /* one line, imperative, no full stop */
	const char *details;   /* further sentences for `osctl help COMMAND`, or NULL */
	const struct option_spec *options;
	size_t n_options;
	enum status (*run)(struct invocation *inv);
};

/* The table, and the options every command understands. */
extern const struct command commands[];
extern const size_t n_commands;
extern const struct option_spec global_options[];
extern const size_t n_global_options;

#define OPTIONS_MAX 16
#define MANY_MAX    64 /* values of options that may be given again */

/* One run of osctl: what was typed, and the connection once there is one. */
struct invocation {
	const struct command *command;           /* NULL: none was named */
	const char *values[OPTIONS_MAX];         /* of command->options; "" for a flag that was given */
	const char *global_values[OPTIONS_MAX];  /* of global_options */
	/* What options that may be given again were given, in that order. */
	struct {
		const struct option_spec *spec;
		const char *value;
	} many[MANY_MAX];
	size_t n_many;
	const char *many_values[2 * MANY_MAX]; /* for option_values() */
	size_t n_many_values;
	char **args;
	int n_args;
	struct ostore *conn;
	bool json;
};

/* ---- words ---- */

const struct command *command_find(const char *name);

/* invocation_parse() - sort the words of a command line into inv
 * Options may stand before or after the command and its arguments; "--" ends
 * them.  Long options are not abbreviated: a script must not break when a new
 * option is added.
 * Return: STATUS_DONE, or STATUS_USAGE with the line printed. */
enum status invocation_parse(struct invocation *inv, int argc, char **argv);

/* The value given for a long option of the command, "" for a flag, NULL when it was not given. */
const char *option_value(const struct invocation *inv, const char *name);
const char *global_value(const struct invocation *inv, const char *name);

/* option_seconds() - the value of an option that takes seconds, as ns; fallback when not given
 * Return: STATUS_DONE or STATUS_USAGE with the line printed. */
enum status option_seconds(const struct invocation *inv, const char *name, int64_t fallback,
	int64_t *nsp);

/* The same for a number of digits. */
enum status option_number(const struct invocation *inv, const char *name, uint64_t fallback,
	uint64_t *numberp);

/* The same for a number with a sign, from least to most. */
enum status option_integer(const struct invocation *inv, const char *name, int64_t least, int64_t most,
	int64_t fallback, int64_t *numberp);

/* The values of an option that may be given again, once for each option; they live as long as
 * the invocation.  Return: how many. */
size_t option_values(struct invocation *inv, const char *name, const char *const **valuesp);

/* parse_filter() - what --label and --pattern of ls and memory say */
enum status parse_filter(struct invocation *inv, struct ostore_filter *filter);

/* parse_id() - an argument that must be an id.  STATUS_DONE, or STATUS_USAGE with the line printed. */
enum status parse_id(const struct invocation *inv, const char *word, ostore_id *idp);

/* check_name() - an argument that must be fit as a name: 1 to 255 bytes, not 32 hex
 * digits (which would be taken for an id).  STATUS_DONE, or STATUS_USAGE with the line printed. */
enum status check_name(const struct invocation *inv, const char *word);

/* ---- broker ---- */

/* Connect to the broker that --address or the environment names.  STATUS_DONE, or the
 * status to exit with, the line printed. */
enum status invocation_connect(struct invocation *inv);

/* resolve() - the id that an argument of the form ID|NAME means
 * @objectp: NULL, or out: for a name the reference that the lookup took (to be released
 *   by the caller), for an id NULL.
 * Return: STATUS_DONE, or the status to exit with, the line printed. */
enum status resolve(struct invocation *inv, const char *word, ostore_id *idp,
	struct ostore_object **objectp);

/* ---- the commands ---- */

enum status cmd_config(struct invocation *inv);
enum status cmd_doctor(struct invocation *inv);
enum status cmd_events(struct invocation *inv);
enum status cmd_get(struct invocation *inv);
enum status cmd_help(struct invocation *inv);
enum status cmd_hold(struct invocation *inv);
enum status cmd_ls(struct invocation *inv);
enum status cmd_memory(struct invocation *inv);
enum status cmd_put(struct invocation *inv);
enum status cmd_rm(struct invocation *inv);
enum status cmd_set(struct invocation *inv);
enum status cmd_stat(struct invocation *inv);
enum status cmd_status(struct invocation *inv);
enum status cmd_unhold(struct invocation *inv);

/* `osctl --commands`, `--long-options`, `--short-options`: the table, for scripts. */
enum status print_commands(void);
enum status print_long_options(const struct command *command);
enum status print_short_options(const struct command *command);

#endif
