/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target without libFuzzer: runs it on every file named, and on every
 * file in the directories named.  Words that begin with '-' are libFuzzer's and
 * are ignored, so that the same command line serves both.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "util/cleanup.h"

static int run_file(const char *path)
{
	CLEANUP_FREE uint8_t *bytes = NULL;
	FILE *file = fopen(path, "r");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size >= 0)
		bytes = malloc((size_t)size + !size); /* exact, so that an overrun is seen */
	if (bytes) {
		rewind(file);
		if (fread(bytes, 1, (size_t)size, file) != (size_t)size)
			size = -1;
	}
	if (file)
		fclose(file);
	if (!bytes || size < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	printf("%s (%ld bytes)\n", path, size);
	fflush(stdout); /* names the culprit when the target aborts */
	(void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
	return 0;
}

static int run_directory(DIR *directory, const char *path)
{
	struct dirent *entry;
	int r = 0;

	while ((entry = readdir(directory))) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		if (run_file(file) < 0)
			r = -1;
	}
	return r;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		DIR *directory;

		if (argv[i][0] == '-')
			continue;
		directory = opendir(argv[i]);
		if ((directory ? run_directory(directory, argv[i]) : run_file(argv[i])) < 0)
			status = 1;
		if (directory)
			closedir(directory);
	}
	return status;
}
