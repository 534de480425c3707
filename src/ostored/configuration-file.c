/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration files: INI, read by libeconf one file at a time, so that each
 * key keeps the file and line that it came from.
 *
 * Keys stand at the top or in a section [ostored]; # and ; begin comments.  Two
 * things that libeconf lets pass are refused here: a value that runs over several
 * lines, and a key that stands twice in one file (libeconf keeps the first, most
 * people expect the last).
 *
 * Which files, and in what order, is decided here rather than by
 * econf_readDirs(), because --config=FILE has drop-ins as well.
 */
#include "ostored/configuration.h"

#include <dirent.h>
#include <errno.h>
#include <libeconf.h>
#include <libeconf_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define FILE_NAME "ostored.conf"
#define SECTION   "ostored"

static void cleanup_econf(econf_file **file)
{
	if (*file)
		econf_freeFile(*file);
}

static void cleanup_array(char ***array)
{
	if (*array)
		econf_freeArray(*array);
}

static void cleanup_value(econf_ext_value **value)
{
	if (*value)
		econf_freeExtValue(*value);
}

static void cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* The line after first that begins with this key, 0 if none. */
static unsigned long second_line(const char *path, const char *key, unsigned long first)
{
	__attribute__((cleanup(cleanup_file))) FILE *file = fopen(path, "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0, length = strlen(key);

	for (unsigned long n = 1; file && getline(&line, &room, file) > 0; n++) {
		const char *at = line + strspn(line, " \t");

		if (n > first && strncmp(at, key, length) == 0 &&
			at[length + strspn(at + length, " \t")] == '=')
			return n;
	}
	return 0;
}

static int read_key(struct config *config, econf_file *file, const char *path, const char *section,
	const char *key)
{
	__attribute__((cleanup(cleanup_value))) econf_ext_value *value = NULL;
	CLEANUP_FREE char *where = NULL;
	unsigned long again;
	size_t n = 0;

	if (econf_getExtValue(file, section, key, &value) != ECONF_SUCCESS)
		return -ENOMEM;
	if (asprintf(&where, "%s:%llu", path, (unsigned long long)value->line_number) < 0) {
		where = NULL;
		return -ENOMEM;
	}
	if (section && strcmp(section, SECTION) != 0) {
		config_complain(config, where, "section [%s] is not known; allowed: [" SECTION "], or none",
			section);
		return -EINVAL;
	}
	while (value->values && value->values[n])
		n++;
	if (n > 1) {
		config_complain(config, where, "the value of \"%s\" runs over several lines; allowed: one",
			key);
		return -EINVAL;
	}
	again = second_line(path, key, value->line_number);
	if (again > 0) {
		config_complain(config, where, "\"%s\" stands here and in line %lu; allowed: once in a file",
			key, again);
		return -EINVAL;
	}
	return config_set(config, key, n > 0 ? value->values[0] : "", where);
}

/* Goes on after a wrong key, so that all are reported. */
static int read_section(struct config *config, econf_file *file, const char *path,
	const char *section)
{
	__attribute__((cleanup(cleanup_array))) char **keys = NULL;
	size_t n = 0;
	int r, result = 0;

	switch (econf_getKeys(file, section, &n, &keys)) {
	case ECONF_SUCCESS:
		break;
	case ECONF_NOKEY:
	case ECONF_NOGROUP:
		return 0;
	default:
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		r = read_key(config, file, path, section, keys[i]);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

static int read_one(struct config *config, const char *path)
{
	__attribute__((cleanup(cleanup_econf))) econf_file *file = NULL;
	__attribute__((cleanup(cleanup_array))) char **sections = NULL;
	CLEANUP_FREE char *wrong_file = NULL, *where = NULL;
	uint64_t wrong_line = 0;
	struct stat st;
	size_t n = 0;
	econf_err e;
	int r, result;

	/* libeconf takes a directory for an empty file. */
	if (stat(path, &st) < 0) {
		config_complain(config, path, "%s", strerror(errno));
		return -EINVAL;
	}
	if (S_ISDIR(st.st_mode)) {
		config_complain(config, path, "%s", strerror(EISDIR));
		return -EINVAL;
	}
	e = econf_readFile(&file, path, "=", "#;");
	if (e == ECONF_NOMEM)
		return -ENOMEM;
	if (e != ECONF_SUCCESS) {
		econf_errLocation(&wrong_file, &wrong_line);
		if (wrong_line > 0 &&
			asprintf(&where, "%s:%llu", path, (unsigned long long)wrong_line) < 0) {
			where = NULL;
			return -ENOMEM;
		}
		config_complain(config, where ? where : path,
			"%s; allowed: KEY = VALUE, [" SECTION "], and comments after #", econf_errString(e));
		return -EINVAL;
	}
	result = read_section(config, file, path, NULL);
	if (result == -ENOMEM)
		return result;
	e = econf_getGroups(file, &n, &sections);
	if (e != ECONF_SUCCESS && e != ECONF_NOGROUP)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		r = read_section(config, file, path, sections[i]);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

/* ---- which files ---- */

struct list {
	char **paths; /* sorted by name */
	size_t n;
};

static void cleanup_list(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->paths[i]);
	free(list->paths);
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* A file with a name that is there already replaces it. */
static int list_add(struct list *list, const char *directory, const char *name)
{
	CLEANUP_FREE char *path = NULL;
	char **more;
	size_t at = 0;
	int order = 1;

	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	while (at < list->n && (order = strcmp(name_of(list->paths[at]), name)) < 0)
		at++;
	if (at < list->n && order == 0) {
		free(list->paths[at]);
		list->paths[at] = TAKE_PTR(path);
		return 0;
	}
	more = reallocarray(list->paths, list->n + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	memmove(more + at + 1, more + at, (list->n - at) * sizeof *more);
	more[at] = TAKE_PTR(path);
	list->paths = more;
	list->n++;
	return 0;
}

static int list_directory(struct config *config, struct list *list, const char *directory)
{
	struct dirent *entry;
	DIR *dir = opendir(directory);
	int r = 0;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir) {
		config_complain(config, directory, "%s", strerror(errno));
		return -EINVAL;
	}
	while (r == 0 && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] != '.' && length > 5 &&
			strcmp(entry->d_name + length - 5, ".conf") == 0)
			r = list_add(list, directory, entry->d_name);
	}
	(void)closedir(dir);
	return r;
}

static int read_list(struct config *config, const struct list *list, int result)
{
	for (size_t i = 0; i < list->n; i++) {
		int r = read_one(config, list->paths[i]);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

int config_read_file(struct config *config, const char *path)
{
	__attribute__((cleanup(cleanup_list))) struct list dropins = { .n = 0 };
	CLEANUP_FREE char *directory = NULL;
	int r, result;

	result = read_one(config, path);
	if (result == -ENOMEM)
		return result;
	if (asprintf(&directory, "%s.d", path) < 0) {
		directory = NULL;
		return -ENOMEM;
	}
	r = list_directory(config, &dropins, directory);
	if (r < 0)
		return r;
	return read_list(config, &dropins, result);
}

int config_read_directories(struct config *config, const char *vendor, const char *etc)
{
	__attribute__((cleanup(cleanup_list))) struct list dropins = { .n = 0 };
	const char *const directories[] = { vendor, etc };
	const char *main_directory = NULL;
	int r, result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		CLEANUP_FREE char *file = NULL, *directory = NULL;

		if (asprintf(&file, "%s/" FILE_NAME, directories[i]) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		if (asprintf(&directory, "%s.d", file) < 0) {
			directory = NULL;
			return -ENOMEM;
		}
		if (access(file, F_OK) == 0)
			main_directory = directories[i];
		r = list_directory(config, &dropins, directory);
		if (r < 0)
			return r;
	}
	if (main_directory) {
		CLEANUP_FREE char *file = NULL;

		if (asprintf(&file, "%s/" FILE_NAME, main_directory) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		result = read_one(config, file);
		if (result == -ENOMEM)
			return result;
	}
	return read_list(config, &dropins, result);
}
