/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of commands: the one place that says what osctl understands.
 * Dispatch, help, completion and the test of osctl(1) read it; keep it sorted.
 */
#include "config.h"

#include "osctl.h"
#include "util/cleanup.h"

const struct option_spec global_options[] = {
	{ "address", 0, "SOCK", "talk to the broker at this socket (default: as ostore(7) says)" },
	{ "commands", 0, NULL, "print the names of all commands, for scripts" },
	{ "help", 'h', NULL, "print help, of one command when one is given" },
	{ "json", 0, NULL, "print one JSON document: sizes in bytes, times in nanoseconds" },
	{ "long-options", 0, NULL, "print the long options (of a command when one is given)" },
	{ "short-options", 0, NULL, "print the short options (of a command when one is given)" },
	{ "version", 'V', NULL, "print the version" },
};
const size_t n_global_options = ARRAY_SIZE(global_options);

static const struct option_spec events_options[] = {
	{ "limit", 0, "N", "end after N lines" },
	{ "no-follow", 0, NULL, "end when all that happened so far is printed" },
	{ "since", 0, "SEQ", "begin with event SEQ; 0: with the oldest that is kept" },
};

static const struct option_spec get_options[] = {
	{ "output", 'o', "FILE", "write to FILE, which appears only when it is complete" },
	{ "timeout", 0, "S", "wait up to S seconds for an object that is not there yet" },
};

static const struct option_spec ls_options[] = {
	{ "label", 0, "K[=V]", "only objects with this label; again: with all of them", true },
	{ "limit", 0, "N", "print the first N only" },
	{ "pattern", 0, "GLOB", "only objects of which a name, or the id, matches: * ? [a-z]" },
	{ "sort", 0, "KEY", "sort by this field of the JSON output, -KEY for largest first" },
	{ "state", 0, "S", "only objects that are created, resident, spilled or paging" },
};

static const struct option_spec memory_options[] = {
	{ "group-by", 0, "KEY", "sum up by pid, uid, callsite, or label:KEY" },
	{ "label", 0, "K[=V]", "only objects with this label; again: with all of them", true },
	{ "pattern", 0, "GLOB", "only objects of which a name, or the id, matches: * ? [a-z]" },
	{ "sort-by", 0, "KEY", "sort by size, refs, pins, pid, uid, kind or created_ns; -KEY: backwards" },
	{ "stats-only", 0, NULL, "print groups and totals only" },
};

static const struct option_spec put_options[] = {
	{ "id", 0, "HEX", "use this id, 32 hex digits (default: a random one)" },
	{ "label", 0, "K=V", "give it this label; again: several", true },
	{ "metadata", 0, "FILE", "store the bytes of FILE, at most 64 KiB, beside the object" },
	{ "mode", 0, "MODE", "permission bits in octal (default 0600)" },
	{ "name", 0, "NAME", "hold the object under this name" },
	{ "pin", 0, NULL, "never evict it, until it is unpinned or deleted" },
	{ "priority", 0, "N", "from -15 to 15: of what may be evicted, the lowest goes first" },
	{ "ttl", 0, "S", "delete it after S seconds" },
};

static const struct option_spec set_options[] = {
	{ "label", 0, "K=V", "set this label; again: several", true },
	{ "pin", 0, NULL, "never evict it, until it is unpinned or deleted" },
	{ "priority", 0, "N", "from -15 to 15: of what may be evicted, the lowest goes first" },
	{ "ttl", 0, "S", "delete it S seconds from now; none: never" },
	{ "unlabel", 0, "K", "remove this label; again: several", true },
	{ "unpin", 0, NULL, "let it be evicted again" },
};

#define OPTIONS(table) .options = (table), .n_options = ARRAY_SIZE(table)

const struct command commands[] = {
	{ "config", 0, 3, "[set KEY VALUE]",
	  "show the broker's configuration and where each value came from, or change it",
	  "A change counts at once and ends with the broker. Root and the broker's user may.",
	  .run = cmd_config },
	{ "doctor", 0, 0, "",
	  "show what this machine allows, what each lack costs and how to mend it",
	  "Needs no broker. Fails when something essential is missing.",
	  .run = cmd_doctor },
	{ "events", 0, 0, "",
	  "print what happens to the objects that you may read, until interrupted",
	  "Without --since only what happens from now on, with --no-follow all that is kept.",
	  OPTIONS(events_options), .run = cmd_events },
	{ "get", 1, 1, "ID|NAME",
	  "write an object's bytes to standard output",
	  "Without --timeout an object that is not there yet is not waited for.",
	  OPTIONS(get_options), .run = cmd_get },
	{ "help", 0, 1, "[COMMAND]",
	  "explain osctl, or one command", NULL,
	  .run = cmd_help },
	{ "hold", 2, 2, "NAME ID",
	  "keep an object under a name, beyond its creator's life",
	  "A name that is taken moves to the object. Names are per user.",
	  .run = cmd_hold },
	{ "ls", 0, 0, "",
	  "list the objects that you may read", NULL,
	  OPTIONS(ls_options), .run = cmd_ls },
	{ "memory", 0, 0, "",
	  "show each reference and mapping, who has it, and what that keeps in memory",
	  "The largest objects come first.",
	  OPTIONS(memory_options), .run = cmd_memory },
	{ "put", 1, 1, "FILE|-",
	  "store a file, or standard input, and print the object's id",
	  "The object is held under --name, or without a name until 'osctl rm'.",
	  OPTIONS(put_options), .run = cmd_put },
	{ "rm", 1, ARGS_MANY, "ID|NAME...",
	  "delete objects: ids and names go at once, memory with the last mapping", NULL,
	  .run = cmd_rm },
	{ "set", 1, 1, "ID|NAME",
	  "change an object's labels, time to live, priority or pin",
	  "Only the owner of the object and root may do that.",
	  OPTIONS(set_options), .run = cmd_set },
	{ "stat", 1, 1, "ID|NAME",
	  "show all of one object: who holds and maps it, where its bytes are", NULL,
	  .run = cmd_stat },
	{ "status", 0, 0, "",
	  "show how full the store is, its counters and features", NULL,
	  .run = cmd_status },
	{ "unhold", 1, 1, "NAME",
	  "give a name up; the object goes when nothing else refers to it",
	  NULL,
	  .run = cmd_unhold },
};
const size_t n_commands = ARRAY_SIZE(commands);

_Static_assert(ARRAY_SIZE(global_options) <= OPTIONS_MAX, "raise OPTIONS_MAX");
