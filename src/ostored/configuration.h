/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ostored/configuration.h - what an administrator may set, and where each value came from
 *
 * One table (configuration.c) says of every key: its name, what it accepts, its
 * default, its help.  The command line, the configuration files, --help,
 * --dump-config, `osctl config` and the tests of the manual all read that table.
 *
 * A later config_set() of a key replaces an earlier one, so the caller decides
 * precedence by order: default, vendor file, /etc file, drop-ins, command line.
 *
 * Everything wrong is collected as a sentence that names the place (file:line or
 * "command line"), the key, the value and what is allowed; nothing is ignored.
 */
#ifndef OSTORED_CONFIGURATION_H
#define OSTORED_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/core.h"
#include "util/log.h"
#include "wire/message.h"

enum config_key {
	CONFIG_ADDRESS,
	CONFIG_CAPACITY,
	CONFIG_MIN_FREE,
	CONFIG_QUOTA,
	CONFIG_QUOTA_OBJECTS,
	CONFIG_QUOTA_DESCRIPTORS,
	CONFIG_QUOTA_CONNECTIONS,
	CONFIG_QUOTA_REQUESTS,
	CONFIG_INLINE_MAX,
	CONFIG_POOL,
	CONFIG_HUGE_PAGES,
	CONFIG_EVICTION_POLICY,
	CONFIG_SPILL,
	CONFIG_QUEUE_DEADLINE,
	CONFIG_TRANSIT_LEASE,
	CONFIG_MAX_OBJECTS,
	CONFIG_MAX_CONNECTIONS,
	CONFIG_MAX_CONNECTIONS_PER_UID,
	CONFIG_MAX_DESCRIPTORS,
	CONFIG_STATE_DIRECTORY,
	CONFIG_USER,
	CONFIG_STOP_TIMEOUT,
	CONFIG_LOG_LEVEL,
	CONFIG_WITHOUT,
	CONFIG_N_KEYS,
};

struct config_info {
	const char *name;
	const char *value;    /* what --help calls the value: SIZE, PATH, ... */
	const char *fallback; /* the default, as a person would write it */
	const char *allowed;  /* a sentence fragment for errors and --help */
	const char *help;
	bool live;            /* may be changed while the broker runs */
};

extern const struct config_info config_infos[CONFIG_N_KEYS];

/* What a broker of this mode is for; decides some defaults. */
enum config_mode {
	CONFIG_MODE_SYSTEM,  /* started as root: /run/ostore, becomes its own user */
	CONFIG_MODE_USER,    /* any user's lasting broker in $XDG_RUNTIME_DIR */
	CONFIG_MODE_PRIVATE, /* --private: lives as long as its users */
};

struct config_setting {
	char *text;    /* as written */
	char *origin;  /* "default", "/etc/ostore/ostored.conf:12", "command line" */
	uint64_t number; /* effective: bytes, nanoseconds, a count, 0 or 1; set by config_resolve() */
};

struct config {
	struct config_setting settings[CONFIG_N_KEYS];
	char *errors; /* sentences, each ended by \n; NULL: none */
};

/* What the values mean on this machine. */
struct config_machine {
	uint64_t memory_total;
	uint64_t memory_available; /* what a percentage in capacity is of: machine_memory() */
	uint64_t memory_left;      /* what min_free has to be less than */
	bool huge_pages;           /* the kernel gives them to memfds */
	uint64_t descriptors;      /* RLIMIT_NOFILE */
	enum config_mode mode;
	const char *runtime_dir;   /* $XDG_RUNTIME_DIR or NULL */
};

struct config_values {
	struct core_config core; /* without arena_base and hash_key */
	struct core_quota *quotas; /* owned; core.quotas */
	char *address;           /* absolute path; NULL: a fresh private directory */
	const char *state_directory, *user;
	uint32_t max_descriptors;
	int64_t stop_timeout_ns;
	enum log_level log_level;
	/* What WIRE_CONFIG answers: effective values, so bytes instead of a percentage or auto.
	 * They borrow from the config. */
	struct wire_field fields[CONFIG_N_KEYS];
};

#define CONFIG_SYSTEM_DIRECTORY "/run/ostore" /* of a system broker's default address */

/* Descriptors that the daemon itself may need: stdio, listener, tables, epoll,
 * signalfd, files it reads while it runs. */
#define CONFIG_RESERVED_DESCRIPTORS 64

/* All keys at their defaults.  Return: 0 or -ENOMEM. */
int config_init(struct config *config);
void config_deinit(struct config *config);

/* config_set() - one value from one place
 * @origin: "command line" or "FILE:LINE"; copied, as value is
 * Return: 0, -EINVAL (the sentence is in config->errors), -ENOMEM. */
int config_set(struct config *config, const char *key, const char *value, const char *origin);

/* Add "WHERE: sentence\n" to the errors.  where may be NULL. */
void config_complain(struct config *config, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* config_read_file() - one file and its drop-ins, FILE.d/ *.conf in the order of their names
 * Return: 0, -EINVAL (sentences in config->errors), -ENOMEM. */
int config_read_file(struct config *config, const char *path);

/* config_read_directories() - the default places: DIR/ostored.conf of etc, else of vendor; then the
 *   drop-ins DIR/ostored.conf.d/ *.conf of both in the order of their names, where a file in etc
 *   replaces the one with the same name in vendor.  Nothing there is no error.
 * Return: as config_read_file(). */
int config_read_directories(struct config *config, const char *vendor, const char *etc);

/* Is this feature one that the broker shall do without? */
bool config_without(const struct config *config, const char *feature);

/* Of a key that is a count, before config_resolve(). */
uint64_t config_count(const struct config *config, enum config_key key);

/* config_resolve() - what all the values mean together
 * @values: zeroed by this; to be given to config_values_deinit() also after failure
 * Return: 0, -EINVAL (sentences in config->errors), -ENOMEM. */
int config_resolve(struct config *config, const struct config_machine *machine,
	struct config_values *values);
void config_values_deinit(struct config_values *values);

/* config_change() - a value is changed while the broker runs
 * @machine: on which values were resolved; @now: on which they are resolved anew
 * @values: those of config_resolve(); brought up to date in place.  Their core's arena_base and hash_key stay
 * Return: 0; -EINVAL, -EOPNOTSUPP (looked at only when the broker starts), -ENOMEM: nothing was
 * changed, and sentences are in config->errors. */
int config_change(struct config *config, const struct config_machine *machine,
	const struct config_machine *now, struct config_values *values, const char *key,
	const char *value, const char *origin);

/* config_values_set_address() - the address is known only now (a fresh directory, a socket that was
 *   passed to us)
 * @origin: NULL: as it was
 * Return: 0, -ENOMEM. */
int config_values_set_address(struct config *config, struct config_values *values,
	const char *address, const char *origin);

/* --dump-config: KEY TAB VALUE TAB EFFECTIVE NUMBER TAB ORIGIN, one line a key */
void config_dump(const struct config *config, FILE *out);

#endif
