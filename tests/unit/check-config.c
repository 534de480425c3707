/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's configuration, command line, view of the machine, and socket. */
#undef NDEBUG
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ostored/configuration.h"
#include "ostored/listener.h"
#include "ostored/machine.h"
#include "ostored/options.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/socket.h"
#include "util/text.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static char directory[] = "/tmp/check-config-XXXXXX";
static const struct config_machine machine = {
	.memory_total = 16 * GIB,
	.memory_available = 10 * GIB,
	.memory_left = 10 * GIB,
	.huge_pages = true,
	.descriptors = 20000,
	.mode = CONFIG_MODE_PRIVATE,
};

static void make_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static char *at(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

/* A file below the directory, with the directories above it. */
static void put(const char *name, const char *text)
{
	char *path = at(name);
	FILE *file;

	for (char *slash = strchr(path + strlen(directory) + 1, '/'); slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* ---- values ---- */

START_TEST(defaults_are_allowed_and_resolve)
{
	struct config config;
	struct config_values values;

	ck_assert_int_eq(config_init(&config), 0);
	for (unsigned key = 0; key < CONFIG_N_KEYS; key++) {
		const struct config_info *info = &config_infos[key];

		ck_assert_ptr_nonnull(info->name);
		ck_assert_msg(config_set(&config, info->name, info->fallback, "x") == 0,
			"%s", config.errors);
		ck_assert(strlen(info->help) > 10 && info->help[strlen(info->help) - 1] == '.');
	}
	ck_assert_int_eq(config_resolve(&config, &machine, &values), 0);
	ck_assert_uint_eq(values.core.capacity, 3 * GIB);
	ck_assert_uint_eq(values.core.pool_max, values.core.capacity / 4);
	ck_assert_uint_eq(values.core.inline_max, 65536);
	ck_assert_uint_eq(values.core.max_fds, 20000 - CONFIG_RESERVED_DESCRIPTORS);
	ck_assert_uint_eq(values.max_descriptors, 20000);
	ck_assert_int_eq(values.core.transit_lease_ns, 600 * NS_PER_S);
	ck_assert(values.core.huge_pages);
	ck_assert_str_eq(values.core.policy, "lru");
	ck_assert_uint_eq(values.core.n_quotas, 1);
	ck_assert_int_eq(values.core.quotas[0].of, CORE_REQUESTS);
	ck_assert_uint_eq(values.core.quotas[0].limit, 16384);
	ck_assert_ptr_null(values.address);
	ck_assert_str_eq(values.fields[CONFIG_CAPACITY].value, "30%");
	ck_assert_uint_eq(values.fields[CONFIG_CAPACITY].number, 3 * GIB);
	ck_assert_str_eq(values.fields[CONFIG_POOL].value, "auto");
	ck_assert_uint_eq(values.fields[CONFIG_POOL].number, 805306368);
	ck_assert_str_eq(values.fields[CONFIG_INLINE_MAX].value, "64KiB");
	ck_assert_uint_eq(values.fields[CONFIG_MAX_DESCRIPTORS].number, 20000);
	ck_assert_str_eq(values.fields[CONFIG_MAX_OBJECTS].value, "2097152");
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

START_TEST(each_value_is_checked_and_the_error_says_what_is_allowed)
{
	static const struct {
		const char *key, *value;
		bool good;
	} cases[] = {
		{ "capacity", "2GiB", true },
		{ "capacity", "30%", true },
		{ "capacity", "100%", true },
		{ "capacity", "101%", false },
		{ "capacity", "", false },
		{ "capacity", "-1", false },
		{ "capacity", "lots", false },
		{ "min_free", "10%", true },
		{ "pool", "auto", true },
		{ "pool", "0", true },
		{ "pool", "half", false },
		{ "inline_max", "64KiB", true },
		{ "inline_max", "65537", false },
		{ "inline_max", "1%", false },
		{ "huge_pages", "yes", true },
		{ "huge_pages", "ye", false },
		{ "huge_pages", "yes no", false },
		{ "eviction_policy", "lru", true },
		{ "eviction_policy", "random", false },
		{ "spill", "none", true },
		{ "spill", "/var/spill", false },
		{ "queue_deadline", "0", true },
		{ "queue_deadline", "0.5", true },
		{ "queue_deadline", "soon", false },
		{ "transit_lease", "0", false },
		{ "quota", "none", true },
		{ "quota", "1000:1GiB", true },
		{ "quota", "1000:1GiB,*:10%", true },
		{ "quota", "1000:1GiB,1000:2GiB", false },
		{ "quota", "1000", false },
		{ "quota", "joe:1GiB", false },
		{ "quota", "4294967295:1GiB", false },
		{ "quota", "", false },
		{ "quota", "auto", false },
		{ "quota_objects", "auto", true },
		{ "quota_objects", "none", true },
		{ "quota_objects", "1000:5,*:25%", true },
		{ "quota_objects", "1000:5GiB", false },
		{ "quota_objects", "1000:101%", false },
		{ "quota_descriptors", "*:0", true },
		{ "quota_descriptors", "*:-1", false },
		{ "quota_connections", "1000:10", true },
		{ "quota_connections", "auto", false },
		{ "quota_requests", "*:100", true },
		{ "quota_requests", "*:10%", false },
		{ "max_objects", "1000", true },
		{ "max_objects", "0", false },
		{ "max_objects", "1e6", false },
		{ "max_descriptors", "255", false },
		{ "address", "relative/path", true },
		{ "address", "", false },
		{ "state_directory", "/var/lib/x", true },
		{ "state_directory", "var/lib/x", false },
		{ "user", "nobody", true },
		{ "user", "", false },
		{ "stop_timeout", "0.5", false },
		{ "log_level", "debug", true },
		{ "log_level", "loud", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		int r;

		ck_assert_int_eq(config_init(&config), 0);
		r = config_set(&config, cases[i].key, cases[i].value, "here:7");
		ck_assert_msg(r == (cases[i].good ? 0 : -EINVAL), "%s = %s: %d", cases[i].key,
			cases[i].value, r);
		ck_assert(cases[i].good == !config.errors);
		if (!cases[i].good) {
			ck_assert(strncmp(config.errors, "here:7: ", 8) == 0);
			ck_assert_ptr_nonnull(strstr(config.errors, "allowed: "));
		}
		config_deinit(&config);
	}
}
END_TEST

START_TEST(unknown_and_later_keys_are_told_apart)
{
	struct config config;

	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_set(&config, "capcity", "1", "here"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config.errors, "unknown key \"capcity\"; keys are: address capacity"));
	ck_assert_int_eq(config_set(&config, "tls", "on", "there"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config.errors, "\nthere: tls: not supported by this version\n"));
	config_deinit(&config);
}
END_TEST

static int resolve(const char *const *settings, const struct config_machine *on,
	struct config *config, struct config_values *values)
{
	ck_assert_int_eq(config_init(config), 0);
	for (; *settings; settings += 2)
		ck_assert_msg(config_set(config, settings[0], settings[1], "x") == 0, "%s",
			config->errors);
	return config_resolve(config, on, values);
}

START_TEST(percentages_are_of_what_the_manual_says)
{
	static const char *const settings[] = { "capacity", "50%", "pool", "10%", "quota", "7:20%,*:1GiB",
		"min_free", "25%", "max_objects", "1000", "quota_objects", "7:10%,8:30",
		"quota_requests", "none", NULL };
	struct config config;
	struct config_values values;

	ck_assert_int_eq(resolve(settings, &machine, &config, &values), 0);
	ck_assert_uint_eq(values.core.capacity, 5 * GIB);
	ck_assert_uint_eq(config.settings[CONFIG_MIN_FREE].number, 4 * GIB);
	ck_assert_uint_eq(values.core.pool_max, GIB / 2);
	ck_assert_uint_eq(values.core.n_quotas, 4);
	ck_assert_uint_eq(values.core.quotas[0].uid, 7);
	ck_assert_uint_eq(values.core.quotas[0].limit, GIB);
	ck_assert_int_eq(values.core.quotas[0].of, CORE_BYTES);
	ck_assert_uint_eq(values.core.quotas[1].uid, (uid_t)-1);
	ck_assert_int_eq(values.core.quotas[2].of, CORE_OBJECTS);
	ck_assert_uint_eq(values.core.quotas[2].limit, 100);
	ck_assert_uint_eq(values.core.quotas[3].limit, 30);
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

/* One user's broker gives him all; one that serves many keeps something for the others. */
START_TEST(nobody_but_root_takes_all_of_a_system_broker)
{
	static const char *const settings[] = { "max_objects", "1000", NULL };
	struct config_machine on = machine;
	struct config config;
	struct config_values values;

	on.mode = CONFIG_MODE_SYSTEM;
	ck_assert_int_eq(resolve(settings, &on, &config, &values), 0);
	ck_assert(values.core.shared);
	ck_assert_uint_eq(values.core.n_quotas, 5);
	ck_assert_int_eq(values.core.quotas[0].of, CORE_OBJECTS);
	ck_assert_uint_eq(values.core.quotas[0].uid, 0);
	ck_assert_uint_eq(values.core.quotas[0].limit, UINT64_MAX);
	ck_assert_uint_eq(values.core.quotas[1].uid, (uid_t)-1);
	ck_assert_uint_eq(values.core.quotas[1].limit, 500);
	ck_assert_int_eq(values.core.quotas[3].of, CORE_DESCRIPTORS);
	ck_assert_uint_eq(values.core.quotas[3].limit, values.core.max_fds / 2);
	config_values_deinit(&values);
	config_deinit(&config);
	on.mode = CONFIG_MODE_PRIVATE;
	ck_assert_int_eq(resolve(settings, &on, &config, &values), 0);
	ck_assert(!values.core.shared);
	ck_assert_uint_eq(values.core.n_quotas, 1); /* of requests */
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

/* What is available changes all the time: the broker watches it while it runs. */
START_TEST(min_free_leaves_the_capacity_as_it_is)
{
	static const char *const settings[] = { "capacity", "9GiB", "min_free", "4GiB", NULL };
	struct config config;
	struct config_values values;

	ck_assert_int_eq(resolve(settings, &machine, &config, &values), 0);
	ck_assert_uint_eq(values.core.capacity, 9 * GIB);
	ck_assert_str_eq(values.fields[CONFIG_CAPACITY].value, "9GiB");
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

/* ---- changes at run time ---- */

static int change(struct config *config, const struct config_machine *now,
	struct config_values *values, const char *key, const char *value)
{
	return config_change(config, &machine, now, values, key, value, "run time (uid 7)");
}

START_TEST(changes_replace_a_value_and_what_depends_on_it)
{
	static const char *const settings[] = { "quota", "*:10%", "address", "/a/b", NULL };
	struct config_machine now = machine;
	struct config config;
	struct config_values values;

	ck_assert_int_eq(resolve(settings, &machine, &config, &values), 0);
	values.core.arena_base = 1234;
	memset(values.core.hash_key, 7, sizeof values.core.hash_key);
	ck_assert_int_eq(change(&config, &now, &values, "capacity", "2GiB"), 0);
	ck_assert_uint_eq(values.core.capacity, 2 * GIB);
	ck_assert_uint_eq(values.core.pool_max, GIB / 2);
	ck_assert_uint_eq(values.core.quotas[0].limit, 2 * GIB / 10);
	ck_assert_uint_eq(values.core.arena_base, 1234);
	ck_assert_uint_eq(values.core.hash_key[15], 7);
	ck_assert_str_eq(values.address, "/a/b");
	ck_assert_str_eq(values.fields[CONFIG_CAPACITY].value, "2GiB");
	ck_assert_str_eq(values.fields[CONFIG_CAPACITY].origin, "run time (uid 7)");
	ck_assert_str_eq(values.fields[CONFIG_QUOTA].origin, "x");

	/* a part of what is available now, and of nothing else later */
	now.memory_available = 4 * GIB;
	ck_assert_int_eq(change(&config, &now, &values, "capacity", "50%"), 0);
	ck_assert_uint_eq(values.core.capacity, 2 * GIB);
	ck_assert_str_eq(values.fields[CONFIG_CAPACITY].value, "50%");
	ck_assert_uint_eq(values.fields[CONFIG_CAPACITY].number, 2 * GIB);
	ck_assert_int_eq(config_change(&config, &now, &now, &values, "queue_deadline", "3", "y"), 0);
	ck_assert_uint_eq(values.core.capacity, 2 * GIB);
	ck_assert_int_eq(values.core.queue_deadline_ns, 3 * NS_PER_S);
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

START_TEST(a_change_that_is_refused_changes_nothing)
{
	static const struct {
		const char *key, *value;
		int result;
		const char *words;
	} cases[] = {
		{ "capacity", "much", -EINVAL, "allowed: a size such as" },
		{ "capacity", "1000", -EINVAL, "at least 1MiB" },
		{ "capacity", "1%", -EINVAL, "pool = " }, /* 102 MiB */
		{ "pool", "9GiB", -EINVAL, "more than the capacity" },
		{ "min_free", "11GiB", -EINVAL, "leaves no room" },
		{ "colour", "red", -EINVAL, "unknown key" },
		{ "max_objects", "100", -EOPNOTSUPP, "restart the broker" },
		{ "address", "/x", -EOPNOTSUPP, "restart the broker" },
	};
	static const char *const settings[] = { "capacity", "30%", "pool", "1GiB", NULL };
	struct config_machine now = machine;
	struct config config;
	struct config_values values;

	ck_assert_int_eq(resolve(settings, &machine, &config, &values), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		now.memory_available = 9 * GIB; /* only what succeeds is resolved on it */
		ck_assert_int_eq(change(&config, &now, &values, cases[i].key, cases[i].value),
			cases[i].result);
		ck_assert_msg(strstr(config.errors, cases[i].words) != NULL, "%s", config.errors);
		free(config.errors);
		config.errors = NULL;
		ck_assert_uint_eq(values.core.capacity, 3 * GIB);
		ck_assert_str_eq(values.fields[CONFIG_CAPACITY].origin, "x");
		ck_assert_uint_eq(values.fields[CONFIG_CAPACITY].number, 3 * GIB);
		ck_assert_uint_eq(config.settings[CONFIG_CAPACITY].number, 3 * GIB);
		ck_assert_str_eq(values.fields[CONFIG_POOL].value, "1GiB");
	}
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

START_TEST(impossible_combinations_are_refused)
{
	static const char *const cases[][5] = {
		{ "min_free", "11GiB", NULL },
		{ "capacity", "1000000", NULL },
		{ "capacity", "0%", NULL },
		{ "capacity", "1GiB", "pool", "2GiB", NULL },
	};
	struct config config;
	struct config_values values;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(resolve(cases[i], &machine, &config, &values), -EINVAL);
		ck_assert_ptr_nonnull(config.errors);
		config_values_deinit(&values);
		config_deinit(&config);
	}
}
END_TEST

START_TEST(address_depends_on_the_mode)
{
	static const char *const nothing[] = { NULL };
	static const char *const relative[] = { "address", "a/b.sock", NULL };
	struct config_machine on = machine;
	struct config config;
	struct config_values values;

	on.mode = CONFIG_MODE_SYSTEM;
	ck_assert_int_eq(resolve(nothing, &on, &config, &values), 0);
	ck_assert_str_eq(values.address, "/run/ostore/ostore.sock");
	ck_assert_str_eq(values.fields[CONFIG_ADDRESS].value, "/run/ostore/ostore.sock");
	config_values_deinit(&values);
	config_deinit(&config);

	on.mode = CONFIG_MODE_USER;
	on.runtime_dir = "/run/user/7";
	ck_assert_int_eq(resolve(nothing, &on, &config, &values), 0);
	ck_assert_str_eq(values.address, "/run/user/7/ostore/ostore.sock");
	config_values_deinit(&values);
	config_deinit(&config);

	on.runtime_dir = NULL;
	ck_assert_int_eq(resolve(nothing, &on, &config, &values), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config.errors, "--private"));
	config_values_deinit(&values);
	config_deinit(&config);

	ck_assert_int_eq(chdir(directory), 0);
	ck_assert_int_eq(resolve(relative, &on, &config, &values), 0);
	ck_assert_str_eq(values.address, at("a/b.sock"));
	config_values_deinit(&values);
	config_deinit(&config);
}
END_TEST

/* ---- files ---- */

START_TEST(a_value_remembers_file_and_line)
{
	struct config config;

	put("o.conf", "# first\ncapacity = 2GiB # tail\n\n[ostored]\n; more\npool = \"5%\"\n");
	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_file(&config, at("o.conf")), 0);
	ck_assert_str_eq(config.settings[CONFIG_CAPACITY].text, "2GiB");
	ck_assert(strcmp(strrchr(config.settings[CONFIG_CAPACITY].origin, '/'), "/o.conf:2") == 0);
	ck_assert_str_eq(config.settings[CONFIG_POOL].text, "5%");
	ck_assert(strcmp(strrchr(config.settings[CONFIG_POOL].origin, '/'), "/o.conf:6") == 0);
	ck_assert_str_eq(config.settings[CONFIG_QUOTA].origin, "default");
	config_deinit(&config);
}
END_TEST

START_TEST(drop_ins_follow_their_file_in_order_of_names)
{
	struct config config;

	put("o.conf", "capacity = 1GiB\npool = 1MiB\nmax_objects = 100\n");
	put("o.conf.d/10-a.conf", "capacity = 2GiB\npool = 2MiB\n");
	put("o.conf.d/20-b.conf", "capacity = 3GiB\n");
	put("o.conf.d/30-c.conf.off", "capacity = 4GiB\n");
	put("o.conf.d/.40-hidden.conf", "capacity = 5GiB\n");
	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_file(&config, at("o.conf")), 0);
	ck_assert_str_eq(config.settings[CONFIG_CAPACITY].text, "3GiB");
	ck_assert_str_eq(config.settings[CONFIG_POOL].text, "2MiB");
	ck_assert_str_eq(config.settings[CONFIG_MAX_OBJECTS].text, "100");
	config_deinit(&config);
}
END_TEST

START_TEST(etc_stands_before_the_vendor)
{
	struct config config;

	put("usr/ostored.conf", "capacity = 1GiB\npool = 1MiB\n");
	put("usr/ostored.conf.d/10-x.conf", "max_objects = 17\n");
	put("usr/ostored.conf.d/20-y.conf", "max_connections = 17\n");
	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_directories(&config, at("usr"), at("etc")), 0);
	ck_assert_str_eq(config.settings[CONFIG_CAPACITY].text, "1GiB");
	ck_assert_str_eq(config.settings[CONFIG_MAX_OBJECTS].text, "17");
	config_deinit(&config);

	/* the file is replaced whole, a drop-in by the one with its name */
	put("etc/ostored.conf", "capacity = 2GiB\n");
	put("etc/ostored.conf.d/10-x.conf", "");
	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_directories(&config, at("usr"), at("etc")), 0);
	ck_assert_str_eq(config.settings[CONFIG_CAPACITY].text, "2GiB");
	ck_assert_str_eq(config.settings[CONFIG_POOL].text, "auto");
	ck_assert_str_eq(config.settings[CONFIG_MAX_OBJECTS].text, "2097152");
	ck_assert_str_eq(config.settings[CONFIG_MAX_CONNECTIONS].text, "17");
	config_deinit(&config);
}
END_TEST

START_TEST(no_file_in_the_default_places_is_no_error)
{
	struct config config;

	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_directories(&config, at("no"), at("where")), 0);
	ck_assert_ptr_null(config.errors);
	config_deinit(&config);
}
END_TEST

START_TEST(every_wrong_line_is_named)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "\ncapacity = lots\n", ":2: capacity = \"lots\" is not allowed" },
		{ "capacity\n", ":1: capacity = \"\" is not allowed" },
		{ "capacity 2GiB\n", ":1: Missing delimiter" },
		{ "#\n[ostored\n", ":2: Missing bracket" },
		{ "#\n[other]\ncapacity = 1GiB\n", ":3: section [other] is not known" },
		{ "pool = 1\n\npool = 2\n", ":1: \"pool\" stands here and in line 3" },
		{ "pool = 1\n  2\n", "the value of \"pool\" runs over several lines" },
		{ "spill_threshold = 0.8\n", ":1: spill_threshold: not supported by this version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;

		put("o.conf", cases[i].text);
		ck_assert_int_eq(config_init(&config), 0);
		ck_assert_int_eq(config_read_file(&config, at("o.conf")), -EINVAL);
		ck_assert_msg(strncmp(config.errors, directory, strlen(directory)) == 0 &&
				strstr(config.errors, cases[i].error), "%s", config.errors);
		config_deinit(&config);
	}
}
END_TEST

START_TEST(all_errors_of_all_files_are_reported)
{
	struct config config;
	unsigned lines = 0;

	put("o.conf", "capacity = x\npool = x\n");
	put("o.conf.d/1.conf", "max_objects = x\n");
	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_file(&config, at("o.conf")), -EINVAL);
	for (const char *c = config.errors; *c; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 3);
	config_deinit(&config);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	struct config config;

	ck_assert_int_eq(config_init(&config), 0);
	ck_assert_int_eq(config_read_file(&config, at("none.conf")), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config.errors, "none.conf: No such file"));
	ck_assert_int_eq(config_read_file(&config, directory), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config.errors, "Is a directory"));
	config_deinit(&config);
}
END_TEST

/* ---- command line ---- */

START_TEST(options_and_keys_are_told_apart)
{
	char *argv[] = { (char *)"ostored", (char *)"--private", (char *)"--capacity=1GiB",
		(char *)"--ready-fd", (char *)"7", (char *)"--pool", (char *)"0", (char *)"--starter=12",
		(char *)"--quota=1:2=3", NULL };
	struct options options;
	struct text error;

	ck_assert_int_eq(options_parse(&options, ARRAY_SIZE(argv) - 1, argv, &error), 0);
	ck_assert(options.private_mode && options.supervisor);
	ck_assert_int_eq(options.ready_fd, 7);
	ck_assert_int_eq(options.starter, 12);
	ck_assert_uint_eq(options.n_keys, 3);
	ck_assert_str_eq(options.keys[0].key, "capacity");
	ck_assert_str_eq(options.keys[0].value, "1GiB");
	ck_assert_str_eq(options.keys[1].value, "0");
	ck_assert_str_eq(options.keys[2].value, "1:2=3");
	options_deinit(&options);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
	static const char *const cases[][2] = {
		{ "word", "word" },
		{ "-h", "-h" },
		{ "--", "--" },
		{ "--private=yes", "takes no value" },
		{ "--config", "needs a value" },
		{ "--starter=me", "not a process id" },
		{ "--starter=5", "--private" },
		{ "--ready-fd=1", "not a descriptor" },
		{ "--capacity", "no value" },
		{ "--priv", "no such option" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = { (char *)"ostored", (char *)cases[i][0], NULL };
		struct options options;
		struct text error;

		ck_assert_int_eq(options_parse(&options, 2, argv, &error), -EINVAL);
		ck_assert_msg(strstr(error.bytes, cases[i][1]) != NULL, "%s", error.bytes);
		options_deinit(&options);
	}
}
END_TEST

/* ---- machine ---- */

#define MEMINFO "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"

static uint64_t available(void)
{
	uint64_t total = 0, bytes = 0;

	ck_assert_int_eq(machine_memory(directory, &total, &bytes), 0);
	ck_assert_uint_eq(total, 16 * GIB);
	return bytes;
}

START_TEST(memory_without_cgroups_is_what_the_kernel_calls_available)
{
	uint64_t total, bytes;

	ck_assert_int_lt(machine_memory(directory, &total, &bytes), 0);
	put("proc/meminfo", MEMINFO);
	ck_assert_uint_eq(available(), 8 * GIB);
	put("proc/self/cgroup", "0::/\n");
	ck_assert_uint_eq(available(), 8 * GIB);
}
END_TEST

START_TEST(the_tightest_cgroup_v2_on_the_way_up_counts)
{
	put("proc/meminfo", MEMINFO);
	put("proc/self/cgroup", "0::/a/b\n");
	put("sys/fs/cgroup/a/b/memory.max", "max\n");
	put("sys/fs/cgroup/a/b/memory.current", "1048576\n");
	put("sys/fs/cgroup/a/memory.max", "3221225472\n");
	put("sys/fs/cgroup/a/memory.current", "2147483648\n");
	ck_assert_uint_eq(available(), GIB);
	put("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 536870912\nactive_file 7\n");
	ck_assert_uint_eq(available(), GIB + GIB / 2);
	put("sys/fs/cgroup/a/memory.current", "4294967296\n");
	ck_assert_uint_eq(available(), 0);
}
END_TEST

START_TEST(cgroup_v1_counts_as_well)
{
	put("proc/meminfo", MEMINFO);
	put("proc/self/cgroup", "9:cpu,memoryless:/y\n4:blkio,memory:/x\n0::/\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
	ck_assert_uint_eq(available(), 8 * GIB);
	put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2147483648\n");
	put("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "1073741824\n");
	ck_assert_uint_eq(available(), GIB);
}
END_TEST

START_TEST(a_container_sees_its_own_group_at_the_mount)
{
	put("proc/meminfo", MEMINFO);
	put("proc/self/cgroup", "0::/of/the/host\n");
	put("sys/fs/cgroup/memory.max", "2147483648\n");
	put("sys/fs/cgroup/memory.current", "0\n");
	ck_assert_uint_eq(available(), 2 * GIB);
}
END_TEST

START_TEST(room_is_that_of_the_tightest_group_and_of_min_free)
{
	struct text why = TEXT_INIT;

	put("proc/meminfo", MEMINFO); /* 8 GiB are available */
	put("proc/self/cgroup", "0::/a/b\n");
	ck_assert_int_eq(machine_room(directory, 0, false, &why), INT64_MAX);
	ck_assert_str_eq(why.bytes, "");
	ck_assert_int_eq(machine_room(directory, 0, true, &why), 8 * GIB);
	ck_assert_ptr_nonnull(strstr(why.bytes, "in all, of which 8 GiB are available"));
	ck_assert_int_eq(machine_room(directory, 6 * GIB, false, &why), 2 * GIB);
	ck_assert_ptr_nonnull(strstr(why.bytes, "min_free: 6 GiB must stay free"));
	ck_assert_int_eq(machine_room(directory, 9 * GIB, false, &why), -(int64_t)GIB);
	put("sys/fs/cgroup/a/b/memory.max", "4294967296\n");
	put("sys/fs/cgroup/a/b/memory.current", "1048576\n");
	put("sys/fs/cgroup/a/memory.max", "3221225472\n");
	put("sys/fs/cgroup/a/memory.current", "2147483648\n");
	ck_assert_int_eq(machine_room(directory, 6 * GIB, false, &why), GIB - MACHINE_RESERVE);
	ck_assert_str_eq(why.bytes, "memory cgroup /a is limited to 3 GiB, of which 2 GiB are used");
	put("sys/fs/cgroup/a/memory.current", "4294967296\n");
	ck_assert_int_eq(machine_room(directory, 0, false, &why), -(int64_t)GIB - MACHINE_RESERVE);
	put("sys/fs/cgroup/a/memory.max", "max\n");
	ck_assert_int_eq(machine_room(directory, 6 * GIB, false, &why), 2 * GIB);
}
END_TEST

START_TEST(descriptors_are_raised_and_never_lowered)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 100;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(machine_descriptors(200), 200);
	ck_assert_uint_eq(machine_descriptors(150), 200);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 200);
}
END_TEST

/* ---- socket ---- */

START_TEST(a_stale_socket_is_replaced_and_a_served_one_is_not)
{
	struct listener first = LISTENER_NULL, second = LISTENER_NULL;
	struct text error;
	const char *path = at("o.sock");
	struct stat st;

	ck_assert_int_eq(listener_bind(&first, path, 0666, &error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(listener_bind(&second, path, 0600, &error), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error.bytes, "another broker"));
	(void)close(first.fd); /* killed */
	ck_assert_int_eq(listener_bind(&second, path, 0600, &error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	listener_close(&second);
	ck_assert_int_eq(stat(path, &st), -1);
	free(first.path);
}
END_TEST

START_TEST(a_socket_that_took_the_place_of_ours_is_not_removed)
{
	struct listener first = LISTENER_NULL, second = LISTENER_NULL;
	struct text error;

	ck_assert_int_eq(listener_bind(&first, at("o.sock"), 0666, &error), 0);
	ck_assert_int_eq(unlink(at("o.sock")), 0);
	ck_assert_int_eq(listener_bind(&second, at("o.sock"), 0666, &error), 0);
	listener_close(&first);
	ck_assert_int_eq(access(at("o.sock"), F_OK), 0);
	listener_close(&second);
	ck_assert_int_ne(access(at("o.sock"), F_OK), 0);
}
END_TEST

START_TEST(a_file_is_not_taken_for_a_stale_socket)
{
	struct listener listener = LISTENER_NULL;
	struct text error;

	put("o.sock", "precious");
	ck_assert_int_eq(listener_bind(&listener, at("o.sock"), 0666, &error), -EADDRINUSE);
	ck_assert_int_eq(access(at("o.sock"), F_OK), 0);
	ck_assert_int_eq(listener_bind(&listener, at("no/o.sock"), 0666, &error), -ENOENT);
}
END_TEST

START_TEST(a_private_socket_lies_in_a_closed_directory_that_goes_with_it)
{
	struct listener listener = LISTENER_NULL;
	struct text error;
	struct stat st;
	char *parent;

	ck_assert_int_eq(listener_bind_private(&listener, directory, &error), 0);
	ck_assert(strncmp(listener.path, directory, strlen(directory)) == 0);
	parent = strdup(listener.directory);
	ck_assert_int_eq(stat(parent, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	listener_close(&listener);
	ck_assert_int_eq(stat(parent, &st), -1);
	free(parent);
	ck_assert_int_eq(listener_bind_private(&listener, at("nowhere"), &error), 0);
	ck_assert(strncmp(listener.path, "/tmp/ostore-", 12) == 0);
	listener_close(&listener);
}
END_TEST

START_TEST(only_a_listening_packet_socket_is_adopted)
{
	struct listener listener = LISTENER_NULL;
	struct sockaddr_un address;
	struct text error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listener_adopt(&listener, fd, &error), -EINVAL);
	(void)close(fd);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(socket_address(&address, at("a.sock")), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listener_adopt(&listener, fd, &error), -EINVAL);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(listener_adopt(&listener, fd, &error), 0);
	ck_assert_str_eq(listener.path, at("a.sock"));
	listener_close(&listener);
	ck_assert_int_eq(access(at("a.sock"), F_OK), 0); /* the service manager's to remove */
}
END_TEST

int main(void)
{
	const struct {
		const char *name;
		const TTest *tests[16];
	} cases[] = {
		{ "values", { defaults_are_allowed_and_resolve,
				    each_value_is_checked_and_the_error_says_what_is_allowed,
				    unknown_and_later_keys_are_told_apart,
				    percentages_are_of_what_the_manual_says,
				    nobody_but_root_takes_all_of_a_system_broker,
				    min_free_leaves_the_capacity_as_it_is,
				    changes_replace_a_value_and_what_depends_on_it,
				    a_change_that_is_refused_changes_nothing,
				    impossible_combinations_are_refused, address_depends_on_the_mode } },
		{ "files", { a_value_remembers_file_and_line,
				   drop_ins_follow_their_file_in_order_of_names,
				   etc_stands_before_the_vendor,
				   no_file_in_the_default_places_is_no_error, every_wrong_line_is_named,
				   all_errors_of_all_files_are_reported,
				   a_file_that_cannot_be_read_is_an_error } },
		{ "options", { options_and_keys_are_told_apart, wrong_options_are_refused } },
		{ "machine", { memory_without_cgroups_is_what_the_kernel_calls_available,
				     the_tightest_cgroup_v2_on_the_way_up_counts,
				     cgroup_v1_counts_as_well, a_container_sees_its_own_group_at_the_mount,
				   room_is_that_of_the_tightest_group_and_of_min_free,
				     descriptors_are_raised_and_never_lowered } },
		{ "socket", { a_stale_socket_is_replaced_and_a_served_one_is_not,
				    a_socket_that_took_the_place_of_ours_is_not_removed,
				    a_file_is_not_taken_for_a_stale_socket,
				    a_private_socket_lies_in_a_closed_directory_that_goes_with_it,
				    only_a_listening_packet_socket_is_adopted } },
	};
	Suite *suite = suite_create("config");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		TCase *tcase = tcase_create(cases[i].name);

		tcase_add_checked_fixture(tcase, make_directory, remove_directory);
		for (size_t j = 0; cases[i].tests[j]; j++)
			tcase_add_test(tcase, cases[i].tests[j]);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
