/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/request.h - the requests that are carried out at once */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include <stdint.h>

struct core;
struct wire_request;

typedef void request_function(struct core *core, uint32_t conn, const struct wire_request *request);

request_function request_release, request_delete, request_reconcile; /* request-refs.c */
request_function request_hold, request_unhold, request_lookup, request_lease,
	request_load;                                                /* request-claim.c */
request_function request_set;                                        /* attribute.c */
request_function request_subscribe;                                  /* events.c */
request_function request_list, request_stat, request_status;         /* look.c */

/* The sealed object that the request's only item names; or it is refused, and TABLES_NONE. */
uint32_t request_find_object(struct core *core, uint32_t conn, const struct wire_request *request);

#endif
