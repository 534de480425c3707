/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/recover.h - a core from the tables that a dead worker left */
#ifndef CORE_RECOVER_H
#define CORE_RECOVER_H

struct core;

/* Derive everything from the tables, and finish what the crash cut off.  Return: 0, -EUCLEAN. */
int recover(struct core *core);

#endif
