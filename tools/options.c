/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a command line: options, the command, its arguments.
 *
 * Not getopt_long(3), for three reasons: options are looked up in two tables
 * (the command's, then the global one), an error must name the wrong word in
 * our own line, and abbreviations are not wanted.
 */
#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util/size.h"

/* Where an option that was found keeps its value. */
struct slot {
	const struct option_spec *spec;
	const char **value;
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool spec_matches(const struct option_spec *spec, const char *name, size_t length, char letter)
{
	if (letter)
		return spec->letter == letter;
	return strlen(spec->name) == length && memcmp(spec->name, name, length) == 0;
}

/* The option with this letter, or (letter 0) this long name.  spec is NULL if there is none. */
static struct slot slot_find(struct invocation *inv, const char *name, size_t length, char letter)
{
	const struct command *command = inv->command;

	for (size_t i = 0; command && i < command->n_options; i++)
		if (spec_matches(&command->options[i], name, length, letter))
			return (struct slot){ &command->options[i], &inv->values[i] };
	for (size_t i = 0; i < n_global_options; i++)
		if (spec_matches(&global_options[i], name, length, letter))
			return (struct slot){ &global_options[i], &inv->global_values[i] };
	return (struct slot){ NULL, NULL };
}

static enum status no_such_option(const struct invocation *inv, const char *word)
{
	return usage(inv->command, "%s: no such option; 'osctl help%s%s' lists them", word,
		inv->command ? " " : "", inv->command ? inv->command->name : "");
}

static enum status take(struct invocation *inv, const struct slot *slot, const char *value)
{
	*slot->value = value;
	if (!slot->spec->many)
		return STATUS_DONE;
	if (inv->n_many == MANY_MAX)
		return usage(inv->command, "--%s %s: more than %d of it", slot->spec->name, value,
			MANY_MAX);
	inv->many[inv->n_many].spec = slot->spec;
	inv->many[inv->n_many++].value = value;
	return STATUS_DONE;
}

static enum status needs_value(const struct invocation *inv, const char *word,
	const struct option_spec *spec)
{
	return usage(inv->command, "%s needs a value: %s %s", word, word, spec->argument);
}

/* "--name", "--name=value", "--name value".  *ip moves on over a value of its own. */
static enum status parse_long(struct invocation *inv, int argc, char **argv, int *ip)
{
	char *word = argv[*ip];
	size_t length = strcspn(word + 2, "=");
	const char *value = word[2 + length] ? word + 2 + length + 1 : NULL;
	struct slot slot = slot_find(inv, word + 2, length, 0);

	if (!slot.spec)
		return no_such_option(inv, word);
	if (!slot.spec->argument) {
		if (value)
			return usage(inv->command, "%s: --%s takes no value", word, slot.spec->name);
		*slot.value = "";
		return STATUS_DONE;
	}
	if (!value && *ip + 1 < argc)
		value = argv[++*ip];
	if (!value)
		return needs_value(inv, word, slot.spec);
	return take(inv, &slot, value);
}

/* "-h", "-o value", "-ovalue", and flags written together. */
static enum status parse_short(struct invocation *inv, int argc, char **argv, int *ip)
{
	char *word = argv[*ip];

	for (const char *p = word + 1; *p; p++) {
		struct slot slot = slot_find(inv, NULL, 0, *p);

		if (!slot.spec)
			return no_such_option(inv, word);
		if (!slot.spec->argument) {
			*slot.value = "";
			continue;
		}
		if (p[1])
			*slot.value = p + 1;
		else if (*ip + 1 < argc)
			*slot.value = argv[++*ip];
		else
			return needs_value(inv, word, slot.spec);
		break;
	}
	return STATUS_DONE;
}

enum status invocation_parse(struct invocation *inv, int argc, char **argv)
{
	bool options_end = false;
	enum status status;

	inv->args = xcalloc(argc, sizeof *inv->args);
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];

		status = STATUS_DONE;
		if (!options_end && strcmp(word, "--") == 0)
			options_end = true;
		else if (!options_end && word[0] == '-' && word[1] == '-')
			status = parse_long(inv, argc, argv, &i);
		else if (!options_end && word[0] == '-' && word[1])
			status = parse_short(inv, argc, argv, &i);
		else if (inv->command)
			inv->args[inv->n_args++] = word;
		else if (!(inv->command = command_find(word)))
			status = usage(NULL, "%s: no such command; 'osctl help' lists them", word);
		if (status)
			return status;
	}
	inv->json = global_value(inv, "json");
	return STATUS_DONE;
}

const char *option_value(const struct invocation *inv, const char *name)
{
	for (size_t i = 0; i < inv->command->n_options; i++)
		if (strcmp(inv->command->options[i].name, name) == 0)
			return inv->values[i];
	assert(!"a command asks for an option that its row does not have");
	return NULL;
}

size_t option_values(struct invocation *inv, const char *name, const char *const **valuesp)
{
	const char **values = inv->many_values + inv->n_many_values;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_many; i++)
		if (strcmp(inv->many[i].spec->name, name) == 0)
			values[n++] = inv->many[i].value;
	inv->n_many_values += n;
	*valuesp = values;
	return n;
}

const char *global_value(const struct invocation *inv, const char *name)
{
	for (size_t i = 0; i < n_global_options; i++)
		if (strcmp(global_options[i].name, name) == 0)
			return inv->global_values[i];
	assert(!"no such global option");
	return NULL;
}

enum status option_seconds(const struct invocation *inv, const char *name, int64_t fallback,
	int64_t *nsp)
{
	const char *value = option_value(inv, name);

	*nsp = fallback;
	if (value && seconds_parse(nsp, value) < 0)
		return usage(inv->command, "--%s %s: not a number of seconds (0.5, 600, 250ms, 5min)",
			name, value);
	return STATUS_DONE;
}

enum status option_number(const struct invocation *inv, const char *name, uint64_t fallback,
	uint64_t *numberp)
{
	const char *word = option_value(inv, name);
	char *end;

	*numberp = fallback;
	if (!word)
		return STATUS_DONE;
	errno = 0;
	*numberp = strtoull(word, &end, 10);
	if (word[0] < '0' || word[0] > '9' || *end || errno)
		return usage(inv->command, "--%s %s: not a number", name, word);
	return STATUS_DONE;
}

enum status option_integer(const struct invocation *inv, const char *name, int64_t least, int64_t most,
	int64_t fallback, int64_t *numberp)
{
	const char *word = option_value(inv, name);
	char *end;

	*numberp = fallback;
	if (!word)
		return STATUS_DONE;
	errno = 0;
	*numberp = strtoll(word, &end, 10);
	if (!word[0] || *end || errno || *numberp < least || *numberp > most)
		return usage(inv->command, "--%s %s: not a number from %lld to %lld", name, word,
			(long long)least, (long long)most);
	return STATUS_DONE;
}

enum status parse_filter(struct invocation *inv, struct ostore_filter *filter)
{
	*filter = (struct ostore_filter){
		.size = sizeof *filter,
		.pattern = option_value(inv, "pattern"),
	};
	filter->n_labels = option_values(inv, "label", &filter->labels);
	if (filter->pattern && strlen(filter->pattern) > OSTORE_NAME_MAX)
		return usage(inv->command, "--pattern: longer than %d bytes", OSTORE_NAME_MAX);
	return STATUS_DONE;
}

static bool is_zero(const ostore_id *id)
{
	static const ostore_id zero;

	return memcmp(id, &zero, sizeof zero) == 0;
}

enum status parse_id(const struct invocation *inv, const char *word, ostore_id *idp)
{
	if (ostore_id_parse(idp, word) < 0)
		return usage(inv->command, "%s is no id: an id has 32 hexadecimal digits", word);
	if (is_zero(idp))
		return usage(inv->command, "%s: the id of 32 zeros names no object", word);
	return STATUS_DONE;
}

enum status check_name(const struct invocation *inv, const char *word)
{
	ostore_id id;

	if (!word[0] || strlen(word) > OSTORE_NAME_MAX)
		return usage(inv->command, "\"%s\": a name has 1 to %d bytes", word, OSTORE_NAME_MAX);
	if (ostore_id_parse(&id, word) == 0)
		return usage(inv->command, "%s: a name must not look like an id (32 hex digits)", word);
	return STATUS_DONE;
}
