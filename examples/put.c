/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* put.c - store 100,000 squares, once, for every process of this machine */
#include <ostore.h>
#include <stdio.h>

#define N 100000

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, ostore_strerror(NULL));
	return 1;
}

int main(void)
{
	struct ostore_object *draft;
	struct ostore *conn;
	double *squares;

	if (ostore_connect(&conn, NULL, NULL) < 0)
		return failed("connect");
	if (ostore_create(conn, N * sizeof *squares, NULL, &draft) < 0)
		return failed("create");

	squares = ostore_buffer(draft); /* shared memory, ours alone until it is sealed */
	for (int i = 0; i < N; i++)
		squares[i] = (double)i * i;

	if (ostore_seal(draft, false) < 0) /* from here on nobody can write it, nor we */
		return failed("seal");
	if (ostore_hold(conn, "squares", ostore_object_id(draft)) < 0)
		return failed("hold");
	ostore_release(draft); /* the name keeps the object */
	ostore_close(conn);
	return 0;
}
