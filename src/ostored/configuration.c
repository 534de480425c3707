/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of keys, and what a value means.  See configuration.h.
 *
 * A value is checked twice: config_set() checks its form, so that the sentence
 * can name file and line; config_resolve() turns all of them into numbers, when
 * the machine and the other values that they depend on are known.
 */
#include "ostored/configuration.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/size.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

#define CAPACITY_MIN MIB
#define POOL_AUTO_PERCENT "25%"
#define REQUESTS_AUTO 16384
#define SYSTEM_ADDRESS CONFIG_SYSTEM_DIRECTORY "/ostore.sock"
#define USER_ADDRESS_FORMAT "%s/ostore/ostore.sock" /* of $XDG_RUNTIME_DIR */

enum type {
	TYPE_PATH,
	TYPE_NAME,
	TYPE_SIZE,            /* min..max bytes */
	TYPE_SIZE_OR_PERCENT, /* min is checked by config_resolve() */
	TYPE_SECONDS,         /* min..max nanoseconds */
	TYPE_COUNT,           /* min..max */
	TYPE_CHOICE,          /* one of the words of allowed */
	TYPE_QUOTA,           /* none, or by uid: sizes (of bytes), else counts */
	TYPE_FEATURES,        /* words of features, with commas between */
};

/* How each key is checked.  Kept apart from config_infos, which others read. */
static const struct rule {
	enum type type;
	uint64_t min, max;
	const char *word; /* a word accepted besides */
	enum core_resource resource; /* QUOTA */
} rules[CONFIG_N_KEYS] = {
	[CONFIG_ADDRESS] = { TYPE_PATH, .word = "auto" },
	[CONFIG_CAPACITY] = { TYPE_SIZE_OR_PERCENT, .min = CAPACITY_MIN },
	[CONFIG_MIN_FREE] = { TYPE_SIZE_OR_PERCENT },
	[CONFIG_QUOTA] = { TYPE_QUOTA, .word = "none", .resource = CORE_BYTES },
	[CONFIG_QUOTA_OBJECTS] = { TYPE_QUOTA, .word = "auto", .resource = CORE_OBJECTS },
	[CONFIG_QUOTA_DESCRIPTORS] = { TYPE_QUOTA, .word = "auto", .resource = CORE_DESCRIPTORS },
	[CONFIG_QUOTA_CONNECTIONS] = { TYPE_QUOTA, .word = "none", .resource = CORE_CONNECTIONS },
	[CONFIG_QUOTA_REQUESTS] = { TYPE_QUOTA, .word = "auto", .resource = CORE_REQUESTS },
	[CONFIG_INLINE_MAX] = { TYPE_SIZE, .min = 0, .max = WIRE_INLINE_MAX },
	[CONFIG_POOL] = { TYPE_SIZE_OR_PERCENT, .word = "auto" },
	[CONFIG_HUGE_PAGES] = { TYPE_CHOICE },
	[CONFIG_EVICTION_POLICY] = { TYPE_CHOICE },
	[CONFIG_SPILL] = { TYPE_CHOICE },
	[CONFIG_QUEUE_DEADLINE] = { TYPE_SECONDS, .min = 0, .max = 86400 * NS_PER_S },
	[CONFIG_TRANSIT_LEASE] = { TYPE_SECONDS, .min = NS_PER_S, .max = 30 * 86400 * NS_PER_S },
	[CONFIG_MAX_OBJECTS] = { TYPE_COUNT, .min = 16, .max = 16 * MIB },
	[CONFIG_MAX_CONNECTIONS] = { TYPE_COUNT, .min = 1, .max = 65536 },
	[CONFIG_MAX_CONNECTIONS_PER_UID] = { TYPE_COUNT, .min = 1, .max = 65536 },
	[CONFIG_MAX_DESCRIPTORS] = { TYPE_COUNT, .min = 256, .max = MIB },
	[CONFIG_STATE_DIRECTORY] = { TYPE_PATH },
	[CONFIG_USER] = { TYPE_NAME },
	[CONFIG_STOP_TIMEOUT] = { TYPE_SECONDS, .min = NS_PER_S, .max = 3600 * NS_PER_S },
	[CONFIG_LOG_LEVEL] = { TYPE_CHOICE },
	[CONFIG_WITHOUT] = { TYPE_FEATURES, .word = "none" },
};

#define COUNTS "UID:COUNT[,...] with numeric uids, *:COUNT for everybody else, and percentages such as *:10%"
#define COUNTS_OR_AUTO "auto, none, or " COUNTS
#define SIZE_OR_PERCENT "a size such as 2GiB, 500M or 1073741824, or a percentage such as 30%"

const struct config_info config_infos[CONFIG_N_KEYS] = {
	[CONFIG_ADDRESS] = { "address", "PATH", "auto", "auto or a socket path of at most 107 bytes",
		"Socket that clients connect to. auto: " SYSTEM_ADDRESS " for a system broker, "
		"$XDG_RUNTIME_DIR/ostore/ostore.sock for a user's, a fresh directory for a private one." },
	[CONFIG_CAPACITY] = { "capacity", "SIZE|PERCENT", "30%", SIZE_OR_PERCENT ", at least 1MiB",
		"Memory that objects may take, a hard limit. A percentage is of the memory that is "
		"available at start: the smaller of MemAvailable and the room in each memory cgroup.",
		.live = true },
	[CONFIG_MIN_FREE] = { "min_free", "SIZE|PERCENT", "0", SIZE_OR_PERCENT,
		"Memory that must stay free on the machine: where less is available, creates wait as if "
		"the store were full. A percentage is of all memory.", .live = true },
	[CONFIG_QUOTA] = { "quota", "UID:SIZE[,...]", "none",
		"none, or UID:SIZE[,...] with numeric uids and *:SIZE for everybody else",
		"What the objects of one uid may take together. A percentage is of the capacity.",
		.live = true },
	[CONFIG_QUOTA_OBJECTS] = { "quota_objects", "UID:COUNT[,...]", "auto", COUNTS_OR_AUTO,
		"How many objects one uid may have. A percentage is of max_objects; auto: half of it for "
		"each uid but root where a system broker serves many, else none.",
		.live = true },
	[CONFIG_QUOTA_DESCRIPTORS] = { "quota_descriptors", "UID:COUNT[,...]", "auto", COUNTS_OR_AUTO,
		"How many descriptors of the broker the objects of one uid may take. A percentage is of "
		"max_descriptors; auto: half of them for each uid but root where a system broker serves "
		"many, else none.",
		.live = true },
	[CONFIG_QUOTA_CONNECTIONS] = { "quota_connections", "UID:COUNT[,...]", "none",
		"none, or " COUNTS,
		"How many connections one uid may have, where that is not max_connections_per_uid. A "
		"percentage is of max_connections.",
		.live = true },
	[CONFIG_QUOTA_REQUESTS] = { "quota_requests", "UID:COUNT[,...]", "auto",
		"auto, none, or UID:COUNT[,...] with numeric uids and *:COUNT for everybody else",
		"How many requests of one uid may wait, for room or for objects, at one time; auto: "
		"16384.",
		.live = true },
	[CONFIG_INLINE_MAX] = { "inline_max", "SIZE", "64KiB", "a size of at most 64KiB",
		"Objects up to this size travel in the reply; 0: every object is mapped." },
	[CONFIG_POOL] = { "pool", "SIZE|PERCENT", "auto", "auto, or " SIZE_OR_PERCENT,
		"Memory prepared in advance for big objects, part of the capacity. A percentage is of the "
		"capacity; auto: follows demand up to 25%; 0: none.", .live = true },
	[CONFIG_HUGE_PAGES] = { "huge_pages", "yes|no", "yes", "yes no",
		"Back objects of 2 MiB and more by huge pages where the kernel allows it." },
	[CONFIG_EVICTION_POLICY] = { "eviction_policy", "NAME", "lru", "lru",
		"Which of the objects that nobody refers to goes first when room is needed." },
	[CONFIG_SPILL] = { "spill", "none", "none", "none",
		"Directories for objects that do not fit in memory; this version keeps all in memory." },
	[CONFIG_QUEUE_DEADLINE] = { "queue_deadline", "SECONDS", "10",
		"seconds, such as 10, 0.5 or 2min, at most one day",
		"How long a create or put waits for room before it fails, where the client says nothing.",
		.live = true },
	[CONFIG_TRANSIT_LEASE] = { "transit_lease", "SECONDS", "600",
		"seconds, such as 600 or 10min, from 1 second to 30 days",
		"How long a pickled reference keeps its object, from when it was made or last loaded.",
		.live = true },
	[CONFIG_MAX_OBJECTS] = { "max_objects", "COUNT", "2097152", "a number from 16 to 16777216",
		"Room in the table of objects." },
	[CONFIG_MAX_CONNECTIONS] = { "max_connections", "COUNT", "4096", "a number from 1 to 65536",
		"Connections at one time." },
	[CONFIG_MAX_CONNECTIONS_PER_UID] = { "max_connections_per_uid", "COUNT", "1024",
		"a number from 1 to 65536", "Connections of one uid at one time.", .live = true },
	[CONFIG_MAX_DESCRIPTORS] = { "max_descriptors", "COUNT", "65536",
		"a number from 256 to 1048576",
		"Descriptors that objects and connections may use, cut to RLIMIT_NOFILE's hard limit." },
	[CONFIG_STATE_DIRECTORY] = { "state_directory", "PATH", OSTORE_STATEDIR, "an absolute path",
		"Directory for what outlives the broker. A system broker makes it; this version keeps "
		"nothing in it." },
	[CONFIG_USER] = { "user", "NAME", OSTORE_SYSTEM_USER, "a user name",
		"User that a system broker becomes." },
	[CONFIG_STOP_TIMEOUT] = { "stop_timeout", "SECONDS", "10",
		"seconds, such as 10 or 1min, from 1 second to one hour",
		"How long a clean stop may take before the worker is killed." },
	[CONFIG_LOG_LEVEL] = { "log_level", "LEVEL", "notice", "error warning notice info debug",
		"Least important lines that are logged.", .live = true },
	[CONFIG_WITHOUT] = { "without", "NAME[,...]", "none",
		"none, or names of features with commas between them: seccomp",
		"Features of the machine that the broker does not use though they are there." },
};

/* Keys of the manual that a later version will know: refused with a better word
 * than "unknown", so that nobody hunts for a typing error. */
static const char *const later_keys[] = {
	"checksum", "compression", "directory", "fuse_size", "lend_userfaultfd", "listen", "node",
	"peers", "spill_threshold", "tls",
};

static bool has_word(const char *words, const char *word)
{
	size_t length = strcspn(word, " ");

	if (length == 0 || word[length] != '\0')
		return false;
	for (const char *at = words; (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

void config_complain(struct config *config, const char *where, const char *format, ...)
{
	CLEANUP_FREE char *sentence = NULL;
	char *all;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&sentence, format, args);
	va_end(args);
	if (r < 0) {
		sentence = NULL;
		return;
	}
	if (asprintf(&all, "%s%s%s%s\n", config->errors ? config->errors : "", where ? where : "",
		    where ? ": " : "", sentence) < 0)
		return;
	free(config->errors);
	config->errors = all;
}

/* ---- form of a value ---- */

/* 0, or -EINVAL */
static int parse_count(uint64_t *countp, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long count;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	count = strtoull(text, &end, 10);
	if (*end || errno || count < min || count > max)
		return -EINVAL;
	*countp = count;
	return 0;
}

/* A size, or a percentage of 0 to 100 if of is not 0. */
static int parse_size(uint64_t *bytesp, const char *text, uint64_t of)
{
	size_t length = strlen(text);
	uint64_t bytes;

	if (length > 0 && text[length - 1] == '%' &&
		(size_parse(&bytes, text, 10000) < 0 || bytes > 10000))
		return -EINVAL;
	if (size_parse(&bytes, text, of) < 0)
		return -EINVAL;
	*bytesp = bytes;
	return 0;
}

static int parse_seconds(uint64_t *nsp, const char *text, uint64_t min, uint64_t max)
{
	int64_t ns;

	if (seconds_parse(&ns, text) < 0 || ns < 0 || (uint64_t)ns < min || (uint64_t)ns > max)
		return -EINVAL;
	*nsp = ns;
	return 0;
}

/* A number, or a percentage of `of` if that is not 0. */
static int parse_quota_count(uint64_t *countp, const char *text, uint64_t of)
{
	if (of && *text && text[strlen(text) - 1] == '%')
		return parse_size(countp, text, of);
	return parse_count(countp, text, 0, UINT32_MAX);
}

/* "UID:SIZE[,...]"; of: what percentages are of.  quotas needs one entry more
 * than text has commas, after the *np that it has.
 * Return: 0, -EINVAL, -ENOMEM; -EEXIST: quotas[*np].uid stands there twice. */
static int parse_quota(struct core_quota *quotas, size_t *np, const char *text,
	enum core_resource resource, uint64_t of)
{
	CLEANUP_FREE char *copy = strdup(text);
	char *rest = copy, *entry;
	size_t n = *np;

	if (!copy)
		return -ENOMEM;
	while ((entry = strsep(&rest, ","))) {
		char *colon = strchr(entry, ':');
		uint64_t uid = (uid_t)-1, limit;
		int r;

		if (!colon)
			return -EINVAL;
		*colon = '\0';
		entry += strspn(entry, " ");
		if (strcmp(entry, "*") != 0 && parse_count(&uid, entry, 0, (uid_t)-2) < 0)
			return -EINVAL;
		r = resource == CORE_BYTES ? parse_size(&limit, colon + 1, of)
					   : parse_quota_count(&limit, colon + 1, of);
		if (r < 0)
			return -EINVAL;
		for (size_t i = *np; i < n; i++)
			if (quotas[i].uid == (uid_t)uid) {
				quotas[*np].uid = (uid_t)uid;
				return -EEXIST;
			}
		quotas[n++] = (struct core_quota){ .uid = uid, .limit = limit, .of = resource };
	}
	*np = n;
	return 0;
}

/* How many entries it may have at the most. */
static size_t quota_entries(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

/* Return: -EINVAL: a word is no feature; 0, or 1: @wanted is among them. */
static int parse_features(const char *text, const char *wanted)
{
	static const char *const features[] = { "seccomp" };
	bool is_there = false;

	for (;;) {
		const size_t length = strcspn(text, ",");
		size_t i = 0;

		while (i < ARRAY_SIZE(features) && (strlen(features[i]) != length ||
				strncmp(features[i], text, length) != 0))
			i++;
		if (i == ARRAY_SIZE(features))
			return -EINVAL;
		is_there |= wanted && strcmp(features[i], wanted) == 0;
		if (text[length] == '\0')
			return is_there;
		text += length + 1;
	}
}

/* Return: 0, -EINVAL, -ENOMEM; -EEXIST: a quota for *twicep is there twice. */
static int check_form(enum config_key key, const char *text, uid_t *twicep)
{
	const struct rule *rule = &rules[key];
	CLEANUP_FREE struct core_quota *quotas = NULL;
	uint64_t number;
	size_t n = 0;
	int r;

	if (rule->word && strcmp(text, rule->word) == 0)
		return 0;
	switch (rule->type) {
	case TYPE_PATH:
		/* A socket may be named from where one stands, for a daemon's directory
		 * that makes no sense; 107 is what sun_path holds. */
		if (key == CONFIG_ADDRESS)
			return *text && strlen(text) <= 107 ? 0 : -EINVAL;
		return *text == '/' && strlen(text) < PATH_MAX ? 0 : -EINVAL;
	case TYPE_NAME:
		return *text ? 0 : -EINVAL;
	case TYPE_SIZE:
		if (parse_size(&number, text, 0) < 0)
			return -EINVAL;
		return number >= rule->min && number <= rule->max ? 0 : -EINVAL;
	case TYPE_SIZE_OR_PERCENT:
		return parse_size(&number, text, UINT64_C(1) << 40);
	case TYPE_SECONDS:
		return parse_seconds(&number, text, rule->min, rule->max);
	case TYPE_COUNT:
		return parse_count(&number, text, rule->min, rule->max);
	case TYPE_CHOICE:
		return has_word(config_infos[key].allowed, text) ? 0 : -EINVAL;
	case TYPE_FEATURES:
		return parse_features(text, NULL);
	case TYPE_QUOTA:
		if (strcmp(text, "none") == 0)
			return 0;
		quotas = calloc(quota_entries(text), sizeof *quotas);
		if (!quotas)
			return -ENOMEM;
		r = parse_quota(quotas, &n, text, rule->resource,
			rule->resource == CORE_REQUESTS ? 0 : UINT64_C(1) << 40);
		*twicep = quotas[0].uid;
		return r;
	}
	return -EINVAL;
}

/* ---- settings ---- */

static int replace(struct config_setting *setting, const char *text, const char *origin)
{
	CLEANUP_FREE char *t = strdup(text), *o = strdup(origin);

	if (!t || !o)
		return -ENOMEM;
	free(setting->text);
	free(setting->origin);
	setting->text = TAKE_PTR(t);
	setting->origin = TAKE_PTR(o);
	return 0;
}

int config_init(struct config *config)
{
	*config = (struct config){ .errors = NULL };
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++)
		if (replace(&config->settings[key], config_infos[key].fallback, "default") < 0) {
			config_deinit(config);
			return -ENOMEM;
		}
	return 0;
}

void config_deinit(struct config *config)
{
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++) {
		free(config->settings[key].text);
		free(config->settings[key].origin);
	}
	free(config->errors);
	*config = (struct config){ .errors = NULL };
}

static int unknown_key(struct config *config, const char *name, const char *origin)
{
	CLEANUP_FREE char *names = NULL;
	size_t size;
	FILE *out;

	for (size_t i = 0; i < ARRAY_SIZE(later_keys); i++)
		if (strcmp(name, later_keys[i]) == 0) {
			config_complain(config, origin, "%s: not supported by this version", name);
			return -EINVAL;
		}
	out = open_memstream(&names, &size);
	if (!out)
		return -ENOMEM;
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++)
		fprintf(out, " %s", config_infos[key].name);
	if (fclose(out) != 0)
		return -ENOMEM;
	config_complain(config, origin, "unknown key \"%s\"; keys are:%s", name, names);
	return -EINVAL;
}

static int find_key(const char *name)
{
	for (int key = 0; key < CONFIG_N_KEYS; key++)
		if (strcmp(name, config_infos[key].name) == 0)
			return key;
	return -1;
}

int config_set(struct config *config, const char *name, const char *value, const char *origin)
{
	const int key = find_key(name);
	char who[16] = "*";
	uid_t twice = 0;
	int r;

	if (key < 0)
		return unknown_key(config, name, origin);
	r = check_form(key, value, &twice);
	if (r == -EEXIST) {
		if (twice != (uid_t)-1)
			snprintf(who, sizeof who, "uid %u", twice);
		config_complain(config, origin, "%s = \"%s\": %s is given twice; allowed: one limit for each",
			name, value, who);
		return -EINVAL;
	}
	if (r == -EINVAL)
		config_complain(config, origin, "%s = \"%s\" is not allowed; allowed: %s%s", name, value,
			config_infos[key].allowed,
			key == CONFIG_SPILL ? " (this version keeps all objects in memory)" : "");
	if (r < 0)
		return r;
	return replace(&config->settings[key], value, origin);
}

/* ---- meaning ---- */

static bool is_word(const struct config *config, enum config_key key)
{
	return rules[key].word && strcmp(config->settings[key].text, rules[key].word) == 0;
}

/* The form was checked, so parsing again cannot fail. */
static uint64_t resolve_number(struct config *config, enum config_key key, uint64_t of)
{
	struct config_setting *setting = &config->settings[key];
	const struct rule *rule = &rules[key];

	switch (rule->type) {
	case TYPE_SIZE:
	case TYPE_SIZE_OR_PERCENT:
		(void)parse_size(&setting->number, setting->text, of);
		break;
	case TYPE_SECONDS:
		(void)parse_seconds(&setting->number, setting->text, rule->min, rule->max);
		break;
	case TYPE_COUNT:
		(void)parse_count(&setting->number, setting->text, rule->min, rule->max);
		break;
	case TYPE_PATH:
	case TYPE_NAME:
	case TYPE_CHOICE:
	case TYPE_QUOTA:
	case TYPE_FEATURES:
		break;
	}
	return setting->number;
}

static void resolve_memory(struct config *config, const struct config_machine *machine,
	struct core_config *core)
{
	struct config_setting *setting = &config->settings[CONFIG_CAPACITY];
	const uint64_t left = machine->memory_left;
	uint64_t min_free = resolve_number(config, CONFIG_MIN_FREE, machine->memory_total);
	char text[2][32];

	if (min_free > 0 && (min_free >= left || left - min_free < CAPACITY_MIN)) {
		config_complain(config, config->settings[CONFIG_MIN_FREE].origin,
			"min_free = \"%s\" leaves no room: %s must stay free, %s are available; lower it "
			"or free memory", config->settings[CONFIG_MIN_FREE].text,
			size_format(min_free, text[0], sizeof text[0]),
			size_format(left, text[1], sizeof text[1]));
		return;
	}
	core->capacity = resolve_number(config, CONFIG_CAPACITY, machine->memory_available);
	if (core->capacity < CAPACITY_MIN)
		config_complain(config, setting->origin, "capacity = \"%s\" is %s; allowed: %s",
			setting->text, size_format(core->capacity, text[0], sizeof text[0]),
			config_infos[CONFIG_CAPACITY].allowed);

	setting = &config->settings[CONFIG_POOL];
	if (is_word(config, CONFIG_POOL)) {
		(void)size_parse(&setting->number, POOL_AUTO_PERCENT, core->capacity);
	} else if (resolve_number(config, CONFIG_POOL, core->capacity) > core->capacity) {
		config_complain(config, setting->origin,
			"pool = \"%s\" is more than the capacity, which it is part of", setting->text);
	}
	core->pool_max = setting->number;
}

static int resolve_address(struct config *config, const struct config_machine *machine,
	struct config_values *values)
{
	const struct config_setting *setting = &config->settings[CONFIG_ADDRESS];
	CLEANUP_FREE char *cwd = NULL;

	if (!is_word(config, CONFIG_ADDRESS)) {
		if (*setting->text == '/') {
			values->address = strdup(setting->text);
			return values->address ? 0 : -ENOMEM;
		}
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return -errno;
		if (asprintf(&values->address, "%s/%s", cwd, setting->text) < 0) {
			values->address = NULL;
			return -ENOMEM;
		}
	} else {
		switch (machine->mode) {
		case CONFIG_MODE_SYSTEM:
			values->address = strdup(SYSTEM_ADDRESS);
			break;
		case CONFIG_MODE_USER:
			if (!machine->runtime_dir) {
				config_complain(config, NULL, "XDG_RUNTIME_DIR is not set, so there is no "
					"place for a user's socket; say --address=PATH or --private");
				return -EINVAL;
			}
			if (asprintf(&values->address, USER_ADDRESS_FORMAT, machine->runtime_dir) < 0)
				values->address = NULL;
			break;
		case CONFIG_MODE_PRIVATE:
			return 0;
		}
		if (!values->address)
			return -ENOMEM;
	}
	if (strlen(values->address) > 107) {
		config_complain(config, setting->origin, "address %s is too long for a socket; allowed: %s",
			values->address, config_infos[CONFIG_ADDRESS].allowed);
		return -EINVAL;
	}
	return 0;
}

/* Half for each uid but root, so that none can take all that there is for others too. */
static size_t add_halves(struct core_quota *quotas, size_t n, enum core_resource resource,
	uint64_t all)
{
	quotas[n++] = (struct core_quota){ .uid = 0, .limit = UINT64_MAX, .of = resource };
	quotas[n++] = (struct core_quota){ .uid = (uid_t)-1, .limit = all / 2, .of = resource };
	return n;
}

/* The quotas of all resources, one after the other. */
static int resolve_quotas(struct config *config, struct config_values *values)
{
	const struct core_config *core = &values->core;
	const uint64_t all[CORE_N_RESOURCES] = {
		[CORE_BYTES] = core->capacity,
		[CORE_OBJECTS] = core->max_objects,
		[CORE_DESCRIPTORS] = core->max_fds,
		[CORE_CONNECTIONS] = core->max_connections,
	};
	size_t n = 0, room = 2 * CORE_N_RESOURCES;
	int r = 0;

	for (unsigned key = 0; key < CONFIG_N_KEYS; key++)
		if (rules[key].type == TYPE_QUOTA)
			room += quota_entries(config->settings[key].text);
	values->quotas = calloc(room, sizeof *values->quotas);
	if (!values->quotas)
		return -ENOMEM;
	for (unsigned key = 0; key < CONFIG_N_KEYS && r == 0; key++) {
		const enum core_resource resource = rules[key].resource;
		const char *text = config->settings[key].text;

		if (rules[key].type != TYPE_QUOTA || strcmp(text, "none") == 0)
			continue;
		if (strcmp(text, "auto") == 0 && resource == CORE_REQUESTS)
			values->quotas[n++] = (struct core_quota){
				.uid = (uid_t)-1, .limit = REQUESTS_AUTO, .of = resource,
			};
		else if (strcmp(text, "auto") != 0)
			r = parse_quota(values->quotas, &n, text, resource, all[resource]);
		else if (core->shared)
			n = add_halves(values->quotas, n, resource, all[resource]);
	}
	values->core.quotas = values->quotas;
	values->core.n_quotas = n;
	return r;
}

static enum log_level parse_log_level(const char *text)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(text, levels[i].name) == 0)
			return levels[i].level;
	return LOG_LEVEL_NOTICE;
}

static void fill_fields(struct config *config, struct config_values *values)
{
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++) {
		struct config_setting *setting = &config->settings[key];

		values->fields[key] = (struct wire_field){
			.key = config_infos[key].name,
			.value = setting->text,
			.origin = setting->origin,
			.number = setting->number,
		};
	}
}

bool config_without(const struct config *config, const char *feature)
{
	return parse_features(config->settings[CONFIG_WITHOUT].text, feature) == 1;
}

uint64_t config_count(const struct config *config, enum config_key key)
{
	uint64_t count = 0;

	assert(rules[key].type == TYPE_COUNT);
	(void)parse_count(&count, config->settings[key].text, rules[key].min, rules[key].max);
	return count;
}

int config_resolve(struct config *config, const struct config_machine *machine,
	struct config_values *values)
{
	struct config_setting *settings = config->settings;
	struct core_config *core = &values->core;
	uint64_t descriptors;
	int r;

	*values = (struct config_values){ .address = NULL };
	resolve_memory(config, machine, core);
	core->inline_max = resolve_number(config, CONFIG_INLINE_MAX, 0);
	core->huge_pages = strcmp(settings[CONFIG_HUGE_PAGES].text, "yes") == 0 && machine->huge_pages;
	settings[CONFIG_HUGE_PAGES].number = core->huge_pages;
	core->policy = settings[CONFIG_EVICTION_POLICY].text;
	core->shared = machine->mode == CONFIG_MODE_SYSTEM;
	core->queue_deadline_ns = resolve_number(config, CONFIG_QUEUE_DEADLINE, 0);
	core->transit_lease_ns = resolve_number(config, CONFIG_TRANSIT_LEASE, 0);
	core->max_objects = resolve_number(config, CONFIG_MAX_OBJECTS, 0);
	core->max_connections = resolve_number(config, CONFIG_MAX_CONNECTIONS, 0);
	core->max_connections_per_uid = resolve_number(config, CONFIG_MAX_CONNECTIONS_PER_UID, 0);

	descriptors = MIN(resolve_number(config, CONFIG_MAX_DESCRIPTORS, 0), machine->descriptors);
	if (descriptors < 2 * CONFIG_RESERVED_DESCRIPTORS) {
		config_complain(config, NULL, "RLIMIT_NOFILE is %llu; the broker needs at least %d "
			"(ulimit -n, LimitNOFILE=)", (unsigned long long)machine->descriptors,
			2 * CONFIG_RESERVED_DESCRIPTORS);
		return -EINVAL;
	}
	settings[CONFIG_MAX_DESCRIPTORS].number = descriptors;
	values->max_descriptors = descriptors;
	core->max_fds = descriptors - CONFIG_RESERVED_DESCRIPTORS;

	values->state_directory = settings[CONFIG_STATE_DIRECTORY].text;
	values->user = settings[CONFIG_USER].text;
	values->stop_timeout_ns = resolve_number(config, CONFIG_STOP_TIMEOUT, 0);
	values->log_level = parse_log_level(settings[CONFIG_LOG_LEVEL].text);
	r = resolve_address(config, machine, values);
	if (r < 0)
		return r;
	r = resolve_quotas(config, values);
	if (r < 0)
		return r;
	if (values->address) {
		r = config_values_set_address(config, values, values->address, NULL);
		if (r < 0)
			return r;
	}
	fill_fields(config, values);
	return config->errors ? -EINVAL : 0;
}

/* What the last change overwrote. */
static void put_back(struct config *config, const struct config_machine *machine,
	struct config_values *values, struct config_setting *setting, char *text, char *origin)
{
	CLEANUP_FREE char *errors = TAKE_PTR(config->errors);
	struct config_values scratch;

	free(setting->text);
	free(setting->origin);
	setting->text = text;
	setting->origin = origin;
	(void)config_resolve(config, machine, &scratch); /* as before: it was good */
	config_values_deinit(&scratch);
	fill_fields(config, values);
	free(config->errors);
	config->errors = TAKE_PTR(errors);
}

int config_change(struct config *config, const struct config_machine *machine,
	const struct config_machine *now, struct config_values *values, const char *name,
	const char *value, const char *origin)
{
	const int key = find_key(name);
	struct config_setting *setting;
	struct config_values fresh;
	CLEANUP_FREE char *text = NULL, *from = NULL;
	int r;

	if (key < 0)
		return unknown_key(config, name, origin);
	if (!config_infos[key].live) {
		config_complain(config, NULL, "%s is looked at only when the broker starts: write it "
			"into the configuration file, or on the command line, and restart the broker", name);
		return -EOPNOTSUPP;
	}
	setting = &config->settings[key];
	text = strdup(setting->text);
	from = strdup(setting->origin);
	if (!text || !from)
		return -ENOMEM;
	r = config_set(config, name, value, origin);
	if (r < 0)
		return r; /* nothing was replaced */
	r = config_resolve(config, now, &fresh);
	if (r < 0) {
		config_values_deinit(&fresh);
		put_back(config, machine, values, setting, TAKE_PTR(text), TAKE_PTR(from));
		return r;
	}
	fresh.core.arena_base = values->core.arena_base;
	memcpy(fresh.core.hash_key, values->core.hash_key, sizeof fresh.core.hash_key);
	config_values_deinit(values);
	*values = fresh;
	return 0;
}

int config_values_set_address(struct config *config, struct config_values *values,
	const char *address, const char *origin)
{
	CLEANUP_FREE char *own = strdup(address), *shown = strdup(address);
	CLEANUP_FREE char *from = strdup(origin ? origin : config->settings[CONFIG_ADDRESS].origin);
	struct config_setting *setting = &config->settings[CONFIG_ADDRESS];

	if (!own || !shown || !from)
		return -ENOMEM;
	free(values->address);
	values->address = TAKE_PTR(own);
	free(setting->text);
	setting->text = TAKE_PTR(shown);
	free(setting->origin);
	setting->origin = TAKE_PTR(from);
	fill_fields(config, values);
	return 0;
}

void config_values_deinit(struct config_values *values)
{
	free(values->quotas);
	free(values->address);
	*values = (struct config_values){ .address = NULL };
}

void config_dump(const struct config *config, FILE *out)
{
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++)
		fprintf(out, "%s\t%s\t%llu\t%s\n", config_infos[key].name, config->settings[key].text,
			(unsigned long long)config->settings[key].number, config->settings[key].origin);
}
