/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `osctl help`, and the table of commands for scripts and completion. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "report.h"

#define HELP_COLUMN 26

static void print_option(const struct option_spec *option)
{
	char left[80], letter[8] = "";

	if (option->letter)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
		option->argument ? " " : "", option->argument ? option->argument : "");
	printf("  %-*s %s\n", HELP_COLUMN, left, option->help);
}

static enum status help_all(void)
{
	printf("Usage: osctl [--address SOCK] [--json] COMMAND [ARGUMENT...]\n\nCommands:\n");
	for (size_t i = 0; i < n_commands; i++) {
		char left[80];

		snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		printf("  %-*s %s\n", HELP_COLUMN, left, commands[i].summary);
	}
	printf("\nOptions:\n");
	for (size_t i = 0; i < n_global_options; i++)
		print_option(&global_options[i]);
	printf("\n'osctl help COMMAND' explains one command; osctl(1) is the manual.\n");
	return STATUS_DONE;
}

static enum status help_command(const struct command *command)
{
	printf("Usage: osctl %s%s%s%s\n\n", command->name, command->n_options ? " [OPTION...]" : "",
		command->arguments[0] ? " " : "", command->arguments);
	printf("osctl %s: %s.\n", command->name, command->summary);
	if (command->details)
		printf("%s\n", command->details);
	if (command->n_options)
		printf("\nOptions:\n");
	for (size_t i = 0; i < command->n_options; i++)
		print_option(&command->options[i]);
	return STATUS_DONE;
}

enum status cmd_help(struct invocation *inv)
{
	const struct command *command = inv->command;

	if (command && command->run == cmd_help) {
		if (inv->n_args == 0)
			return help_all();
		command = command_find(inv->args[0]);
		if (!command)
			return usage(inv->command, "%s: no such command; 'osctl help' lists them",
				inv->args[0]);
	}
	return command ? help_command(command) : help_all();
}

enum status print_commands(void)
{
	for (size_t i = 0; i < n_commands; i++)
		printf("%s\n", commands[i].name);
	return STATUS_DONE;
}

enum status print_long_options(const struct command *command)
{
	const struct option_spec *options = command ? command->options : global_options;
	size_t n = command ? command->n_options : n_global_options;

	for (size_t i = 0; i < n; i++)
		printf("--%s%s\n", options[i].name, options[i].argument ? "=" : "");
	return STATUS_DONE;
}

enum status print_short_options(const struct command *command)
{
	const struct option_spec *options = command ? command->options : global_options;
	size_t n = command ? command->n_options : n_global_options;

	for (size_t i = 0; i < n; i++)
		if (options[i].letter)
			printf("-%c\n", options[i].letter);
	return STATUS_DONE;
}
