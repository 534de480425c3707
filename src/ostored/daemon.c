/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the command line to a running supervisor, in the order that privileges and
 * the shared descriptor table ask for:
 *
 *   configuration; then as root: directories and socket; then no privilege any
 *   more; then everything that workers share (tables, full-size descriptor table);
 *   then the first clone.
 */
#include "ostored/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/features.h"
#include "config.h"
#include "core/core.h"
#include "memory/memfd.h"
#include "ostored/configuration.h"
#include "ostored/filter.h"
#include "ostored/host.h"
#include "ostored/listener.h"
#include "ostored/machine.h"
#include "ostored/notify.h"
#include "ostored/options.h"
#include "ostored/privileges.h"
#include "ostored/supervisor.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/size.h"

#define ARENA_BASE   UINT64_C(0x200000000000)
#define IDLE_EXIT_NS NS_PER_S /* of a private broker after its last user */
#define VENDOR_DIR   "/usr/lib/ostore"

struct daemon {
	struct options options;
	struct config config;
	struct config_machine machine;
	struct config_values values;
	struct listener listener;
	struct wire_field features[N_FEATURES];
	struct filter filter;
	struct text without_seccomp; /* why there is none */
	uint64_t watchdog_us;
	int ready_fd;
	int notify_fd;
	int starter_pidfd;
	int tables_fd;
	void *tables;
	size_t tables_size;
};

static void say(const char *sentence)
{
	fprintf(stderr, "ostored: %s\n", sentence);
}

/* One line each, whatever the log level: this is the answer to a command. */
static void print_errors(const struct config *config)
{
	const char *at = config->errors ? config->errors : "out of memory\n";

	while (*at) {
		int length = strcspn(at, "\n");

		fprintf(stderr, "ostored: %.*s\n", length, at);
		at += length + 1;
	}
}

/* ---- configuration ---- */

static int read_config(struct daemon *d)
{
	const struct options *options = &d->options;
	struct config *config = &d->config;
	int r;

	/* A file that is wrong does not hide what is wrong on the command line. */
	if (options->config_file)
		r = config_read_file(config, options->config_file);
	else if (d->machine.mode == CONFIG_MODE_SYSTEM)
		r = config_read_directories(config, VENDOR_DIR, OSTORE_SYSCONFDIR);
	else
		r = 0;
	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < options->n_keys; i++) {
		r = config_set(config, options->keys[i].key, options->keys[i].value, "command line");
		if (r == -ENOMEM)
			return r;
	}
	if (config->errors)
		return -EINVAL;
	d->machine.descriptors = machine_descriptors(config_count(config, CONFIG_MAX_DESCRIPTORS));
	return config_resolve(config, &d->machine, &d->values);
}

static int look_at_machine(struct daemon *d)
{
	struct config_machine *machine = &d->machine;
	const char *reason; /* features_probe() tells it to whom it concerns */
	int r;

	machine->mode = d->options.private_mode ? CONFIG_MODE_PRIVATE :
		geteuid() == 0			? CONFIG_MODE_SYSTEM :
						  CONFIG_MODE_USER;
	machine->runtime_dir = getenv("XDG_RUNTIME_DIR");
	if (machine->runtime_dir && machine->runtime_dir[0] != '/')
		machine->runtime_dir = NULL;
	machine->huge_pages = memfd_huge_pages(&reason);
	r = machine_memory("", &machine->memory_total, &machine->memory_available);
	machine->memory_left = machine->memory_available;
	if (r < 0)
		fprintf(stderr, "ostored: cannot read how much memory there is (/proc/meminfo): %s\n",
			strerror(-r));
	return r;
}

/* ---- descriptors ---- */

static int open_null_at(int wanted)
{
	CLEANUP_CLOSE int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fd == wanted) {
		(void)fcntl(TAKE_FD(fd), F_SETFD, 0);
		return 0;
	}
	return dup2(fd, wanted) < 0 ? -errno : 0;
}

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What the starter leaked into us would live as long as the store. */
static void close_all_but(int *fds, size_t n)
{
	unsigned from = STDERR_FILENO + 1;

	qsort(fds, n, sizeof *fds, compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < (int)from)
			continue;
		if (fds[i] > (int)from)
			(void)close_range(from, fds[i] - 1, 0);
		from = fds[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

static int prepare_descriptors(struct daemon *d, int *activation_fdp)
{
	int keep[3] = { -1, -1, -1 }, r, activated;
	size_t n = 0;

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0) {
			r = open_null_at(fd);
			if (r < 0)
				return r;
		}
	activated = sd_listen_fds(1);
	if (activated > 1) {
		log_error("the service manager passed %d sockets; allowed: one", activated);
		return -EINVAL;
	}
	if (activated == 1)
		*activation_fdp = keep[n++] = SD_LISTEN_FDS_START;
	d->ready_fd = d->options.ready_fd;
	if (d->ready_fd >= 0 && fcntl(d->ready_fd, F_SETFD, FD_CLOEXEC) < 0) {
		log_error("--ready-fd=%d: %s", d->ready_fd, strerror(errno));
		return -EBADF;
	}
	if (d->ready_fd >= 0)
		keep[n++] = d->ready_fd;
	close_all_but(keep, n);

	/* A private broker outlives the pipeline that its starter may be part of:
	 * it must not hold its ends.  stderr stays, for what must be said. */
	r = open_null_at(STDIN_FILENO);
	if (r == 0 && d->options.private_mode) {
		if (d->ready_fd < 0)
			d->ready_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		r = open_null_at(STDOUT_FILENO);
	}
	return r;
}

/* The kernel doubles a table that it must grow, and stalls a shared one for up to
 * 16 ms each time; a table that nobody shares yet grows at once. */
static int grow_descriptor_table(uint32_t size)
{
	CLEANUP_CLOSE int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, (int)size - 1);

	return fd < 0 ? -errno : 0;
}

/* ---- start ---- */

static int open_listener(struct daemon *d, int activation_fd, struct text *error)
{
	struct config_values *values = &d->values;
	const char *origin = NULL;
	mode_t mode = d->machine.mode == CONFIG_MODE_SYSTEM ? 0666 : 0600;
	int r;

	if (activation_fd >= 0) {
		r = listener_adopt(&d->listener, activation_fd, error);
		origin = "service manager";
	} else if (values->address) {
		r = listener_bind(&d->listener, values->address, mode, error);
	} else {
		r = listener_bind_private(&d->listener, d->machine.runtime_dir, error);
	}
	if (r < 0)
		return r;
	return config_values_set_address(&d->config, values, d->listener.path, origin);
}

/* The directory of a default address is ours to make; that of another is not. */
static int make_user_directory(const struct daemon *d, struct text *error)
{
	CLEANUP_FREE char *path = strdup(d->values.address);

	if (!path)
		return -ENOMEM;
	*strrchr(path, '/') = '\0';
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		int r = -errno;

		text_set(error, "directory %s: %s", path, strerror(-r));
		return r;
	}
	return 0;
}

static int become_system_broker(struct daemon *d, int activation_fd, struct text *error)
{
	struct privileges_user user;
	bool own_place = strcmp(d->config.settings[CONFIG_ADDRESS].origin, "default") == 0;
	int r;

	r = privileges_find_user(&user, d->values.user, error);
	if (r == 0)
		r = privileges_make_directory(d->values.state_directory, 0700, &user, error);
	if (r == 0 && activation_fd < 0 && own_place)
		r = privileges_make_directory(CONFIG_SYSTEM_DIRECTORY, 0755, &user, error);
	if (r == 0)
		r = open_listener(d, activation_fd, error);
	if (r == 0)
		r = privileges_become(&user, error);
	return r;
}

static int become_broker(struct daemon *d, int activation_fd, struct text *error)
{
	bool own_place = strcmp(d->config.settings[CONFIG_ADDRESS].origin, "default") == 0;
	int r = 0;

	if (d->machine.mode == CONFIG_MODE_SYSTEM)
		return become_system_broker(d, activation_fd, error);
	if (d->machine.mode == CONFIG_MODE_USER && activation_fd < 0 && own_place)
		r = make_user_directory(d, error);
	if (r == 0)
		r = open_listener(d, activation_fd, error);
	if (r == 0)
		r = privileges_drop(error);
	return r;
}

static int watch_starter(struct daemon *d, struct text *error)
{
	int r;

	if (d->options.starter == 0)
		return 0;
	d->starter_pidfd = syscall(SYS_pidfd_open, d->options.starter, 0);
	if (d->starter_pidfd >= 0)
		return 0;
	r = -errno;
	text_set(error, "--starter=%d: %s", (int)d->options.starter,
		r == -ESRCH ? "that process is gone already" : strerror(-r));
	return r;
}

static int make_tables(struct daemon *d, struct text *error)
{
	struct core_config *core = &d->values.core;
	int r;

	core->arena_base = ARENA_BASE;
	if (getrandom(core->hash_key, sizeof core->hash_key, 0) != sizeof core->hash_key)
		return -EIO;
	d->tables_size = core_memory_size(core);
	d->tables_fd = memfd_create("ostored-tables", MFD_CLOEXEC);
	if (d->tables_fd < 0 || ftruncate(d->tables_fd, d->tables_size) < 0)
		goto failed;
	d->tables = mmap(NULL, d->tables_size, PROT_READ | PROT_WRITE, MAP_SHARED, d->tables_fd, 0);
	if (d->tables == MAP_FAILED) {
		d->tables = NULL;
		goto failed;
	}
	r = grow_descriptor_table(d->values.max_descriptors);
	if (r < 0)
		text_set(error, "a descriptor table of %u: %s", d->values.max_descriptors, strerror(-r));
	return r;
failed:
	r = -errno;
	text_set(error, "memory for the tables (%zu bytes): %s", d->tables_size, strerror(-r));
	return r;
}

/* And then all is known of features. */
static int make_filter(struct daemon *d)
{
	struct text *why = &d->without_seccomp;
	int r = 0;

	if (!d->options.supervisor)
		text_set(why, "there is no supervisor: the worker is to be looked at");
	else if (config_without(&d->config, "seccomp"))
		text_set(why, "the configuration says without=seccomp");
	else
		r = filter_make(&d->filter, why);
	if (r == -EOPNOTSUPP) {
		log_warning("workers may make any system call: %s", why->bytes);
		r = 0;
	}
	features_probe(d->features, strcmp(d->config.settings[CONFIG_HUGE_PAGES].text, "yes") == 0,
		d->filter.instructions ? NULL : why->bytes);
	return r;
}

static int prepare(struct daemon *d)
{
	struct text error = TEXT_INIT;
	int activation_fd = -1;
	int r = prepare_descriptors(d, &activation_fd);

	if (r < 0)
		return r;
	supervisor_signals();
	/* Fails for a process group leader, that is when a person typed the command
	 * into a shell: then Ctrl-C reaches it, as the person expects. */
	if (d->options.private_mode)
		(void)setsid();
	umask(0077);
	d->notify_fd = notify_open();
	if (sd_watchdog_enabled(1, &d->watchdog_us) <= 0)
		d->watchdog_us = 0;
	r = make_filter(d);
	if (r < 0)
		log_error("cannot make the filter of system calls: %s", strerror(-r));
	if (r == 0)
		r = watch_starter(d, &error);
	if (r == 0)
		r = become_broker(d, activation_fd, &error);
	if (r == 0 && chdir("/") < 0)
		r = -errno;
	if (r == 0)
		r = make_tables(d, &error);
	if (r < 0)
		log_error("cannot start: %s", error.length > 0 ? error.bytes : strerror(-r));
	return r;
}

static int run(struct daemon *d)
{
	const struct config_values *values = &d->values;
	int kept[] = { d->tables_fd, d->starter_pidfd };
	struct host host = { &d->config, &d->machine, &d->values };
	const struct broker_host functions = host_functions(&host);
	struct supervisor_options options = {
		.broker = {
			.core = &values->core,
			.tables = d->tables,
			.tables_size = d->tables_size,
			.listener = d->listener.fd,
			.listener_passed = !d->listener.bound,
			.private_mode = d->options.private_mode,
			.starter_pidfd = d->starter_pidfd,
			.idle_exit_ns = IDLE_EXIT_NS,
			.stop_timeout_ns = values->stop_timeout_ns,
			.settings = values->fields,
			.n_settings = CONFIG_N_KEYS,
			.host = &functions,
			.features = d->features,
			.n_features = N_FEATURES,
		},
		.address = d->listener.path,
		.ready_fd = d->ready_fd,
		.notify_fd = d->notify_fd,
		.watchdog_ns = d->watchdog_us * NS_PER_US / 2,
		.keep_fds = kept,
		.n_keep_fds = ARRAY_SIZE(kept),
		.filter = &d->filter,
	};
	/* A private broker speaks only when something is wrong: its stderr is its user's. */
	enum log_level level = d->options.private_mode ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE;
	char capacity[32];
	int status;

	log_line(level, "serving at %s, capacity %s", d->listener.path,
		size_format(values->core.capacity, capacity, sizeof capacity));
	status = d->options.supervisor ? supervisor_run(&options) : supervisor_run_alone(&options);
	log_line(level, "stopped");
	return status == 0 ? DAEMON_EXIT_CLEAN : DAEMON_EXIT_FAILED;
}

static void deinit(struct daemon *d)
{
	const int fds[] = { d->notify_fd, d->starter_pidfd, d->tables_fd };

	listener_close(&d->listener);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	if (d->tables)
		(void)munmap(d->tables, d->tables_size);
	filter_deinit(&d->filter);
	config_values_deinit(&d->values);
	config_deinit(&d->config);
	options_deinit(&d->options);
}

static int dispatch(struct daemon *d)
{
	int r;

	switch (d->options.action) {
	case OPTIONS_HELP:
		options_help(stdout);
		return DAEMON_EXIT_CLEAN;
	case OPTIONS_VERSION:
		puts(PACKAGE_STRING);
		return DAEMON_EXIT_CLEAN;
	case OPTIONS_LONG_OPTIONS:
		options_long(stdout);
		return DAEMON_EXIT_CLEAN;
	case OPTIONS_CHECK_CONFIG:
	case OPTIONS_DUMP_CONFIG:
	case OPTIONS_RUN:
		break;
	}
	if (look_at_machine(d) < 0)
		return DAEMON_EXIT_FAILED;
	r = read_config(d);
	if (r < 0) {
		print_errors(&d->config);
		return r == -EINVAL ? DAEMON_EXIT_USAGE : DAEMON_EXIT_FAILED;
	}
	if (d->options.action == OPTIONS_DUMP_CONFIG)
		config_dump(&d->config, stdout);
	if (d->options.action != OPTIONS_RUN)
		return DAEMON_EXIT_CLEAN;
	log_set_level(d->values.log_level);
	return prepare(d) < 0 ? DAEMON_EXIT_FAILED : run(d);
}

int daemon_main(int argc, char **argv)
{
	struct daemon d = {
		.listener = LISTENER_NULL,
		.ready_fd = -1,
		.notify_fd = -1,
		.starter_pidfd = -1,
		.tables_fd = -1,
	};
	struct text error = TEXT_INIT;
	int r, status;

	r = options_parse(&d.options, argc, argv, &error);
	if (r < 0) {
		say(error.length > 0 ? error.bytes : strerror(-r));
		options_deinit(&d.options);
		return r == -EINVAL ? DAEMON_EXIT_USAGE : DAEMON_EXIT_FAILED;
	}
	if (config_init(&d.config) < 0) {
		say("out of memory");
		status = DAEMON_EXIT_FAILED;
	} else {
		status = dispatch(&d);
	}
	deinit(&d);
	return status;
}
