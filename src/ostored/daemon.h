/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ostored/daemon.h - the program, as a function, so that tests can link all of it */
#ifndef OSTORED_DAEMON_H
#define OSTORED_DAEMON_H

enum daemon_exit {
	DAEMON_EXIT_CLEAN = 0,
	DAEMON_EXIT_FAILED = 1,
	DAEMON_EXIT_USAGE = 2, /* wrong option, key or value */
};

/* Return: the exit status. */
int daemon_main(int argc, char **argv);

#endif
