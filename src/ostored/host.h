/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ostored/host.h - what the program does for the worker at run time
 *
 * The worker is a copy of the supervisor's memory: what it changes here is its own,
 * and the next worker begins with the configuration of the start again, and with
 * what the tables have noted (broker/settings.c).
 */
#ifndef OSTORED_HOST_H
#define OSTORED_HOST_H

#include "broker/broker.h"
#include "ostored/configuration.h"

struct host {
	struct config *config;
	struct config_machine *machine;
	struct config_values *values;
};

/* Its functions, with host as their user; host must outlive what this returns. */
struct broker_host host_functions(struct host *host);

#endif
