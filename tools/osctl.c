/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * osctl - the command line of an ostore broker
 *
 * main() finds the command in the table (commands.c), checks how many arguments
 * it got, runs it, and sees to it that output which could not be written is a
 * failure.  Everything else is in cmd-*.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report.h"

/* A descriptor 0, 1 or 2 that is closed would be taken by the next open or
 * socket, and our output would go there.  Fill the gap with one that refuses
 * what the number is for. */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* Found out before anything is done: a put whose id nobody gets to see would be lost. */
static bool output_is_writable(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

enum status invocation_connect(struct invocation *inv)
{
	struct ostore_options options = {
		.size = sizeof options,
		/* One request or two and gone: nothing to be evicted under us. */
		.no_service_thread = true,
	};
	int r = ostore_connect(&inv->conn, global_value(inv, "address"), &options);

	if (r == 0)
		return STATUS_DONE;
	inv->conn = NULL;
	/* A broker that does not answer in time is no broker, not a timeout of the command. */
	if (r == -OSTORE_ETIMEOUT) {
		fail_library(inv, r, NULL);
		return STATUS_NO_BROKER;
	}
	fail_library(inv, r, NULL);
	/* A path that no socket can have. */
	return r == -EINVAL && global_value(inv, "address") ? STATUS_USAGE : status_of(r);
}

enum status resolve(struct invocation *inv, const char *word, ostore_id *idp,
	struct ostore_object **objectp)
{
	struct ostore_object *object;
	int r;

	if (objectp)
		*objectp = NULL;
	if (ostore_id_parse(idp, word) == 0)
		return STATUS_DONE;
	r = ostore_lookup(inv->conn, word, &object);
	if (r < 0)
		return fail_library(inv, r, NULL);
	*idp = *ostore_object_id(object);
	if (objectp)
		*objectp = object;
	else
		ostore_release(object);
	return STATUS_DONE;
}

static enum status check_arguments(const struct invocation *inv)
{
	const struct command *command = inv->command;

	if (inv->n_args < command->min_args)
		return usage(command, "an argument is missing; it takes: %s", command->arguments);
	if (inv->n_args > command->max_args)
		return usage(command, "%s: one argument too many; it takes: %s",
			inv->args[command->max_args],
			command->arguments[0] ? command->arguments : "none");
	return STATUS_DONE;
}

static enum status run(struct invocation *inv, int argc, char **argv)
{
	enum status status = invocation_parse(inv, argc, argv);

	if (status)
		return status;
	if (global_value(inv, "version")) {
		printf("osctl (ostore) %s\n", ostore_version());
		return STATUS_DONE;
	}
	if (global_value(inv, "commands"))
		return print_commands();
	if (global_value(inv, "long-options"))
		return print_long_options(inv->command);
	if (global_value(inv, "short-options"))
		return print_short_options(inv->command);
	if (global_value(inv, "help"))
		return cmd_help(inv);
	if (!inv->command)
		return usage(NULL, "a command is missing; 'osctl help' lists them");
	status = check_arguments(inv);
	return status ? status : inv->command->run(inv);
}

int main(int argc, char **argv)
{
	struct invocation inv = { .command = NULL };
	enum status status;

	fill_standard_descriptors();
	/* Only the character set: numbers keep their point in every locale. */
	setlocale(LC_CTYPE, "");
	/* A reader that went away is an error like any other (EPIPE). */
	signal(SIGPIPE, SIG_IGN);

	if (!output_is_writable())
		status = fail(STATUS_FAILED, "standard output: not open for writing; nothing was done");
	else
		status = run(&inv, argc, argv);
	if (status == STATUS_DONE)
		status = finish_output();
	ostore_close(inv.conn);
	free(inv.args);
	return status;
}
