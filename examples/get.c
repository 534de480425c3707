/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* get.c - read what put.c stored: the same pages, not a copy */
#include <ostore.h>
#include <stdio.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, ostore_strerror(NULL));
	return 1;
}

int main(void)
{
	struct ostore_object *object;
	const double *squares;
	struct ostore *conn;
	double sum = 0;
	size_t n;

	if (ostore_connect(&conn, NULL, NULL) < 0)
		return failed("connect");
	if (ostore_lookup(conn, "squares", &object) < 0)
		return failed("lookup");
	if (ostore_map(object) < 0)
		return failed("map");

	squares = ostore_data(object);
	n = ostore_size(object) / sizeof *squares;
	for (size_t i = 0; i < n; i++)
		sum += squares[i];
	printf("%zu squares at %p, their sum is %.0f\n", n, (const void *)squares, sum);

	ostore_release(object);
	ostore_close(conn);
	return 0;
}
