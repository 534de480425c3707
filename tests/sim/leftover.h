/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim/leftover.h - what the tables say that a connection still holds */
#ifndef SIM_LEFTOVER_H
#define SIM_LEFTOVER_H

#include "core/tables.h"
#include "model.h"

/* To be called after each event in which objects were made. */
void leftover_learn(struct model *model, const struct tables *tables);
void leftover_read(struct leftover *left, const struct model *model, const struct tables *tables,
	uint32_t conn);

#endif
