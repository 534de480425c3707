/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/account.h - who uses how much: charges by uid, and the words for it */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct account;
struct core;
struct text;

/* The account of a uid, made on first use. */
struct account *account_get(struct core *core, uid_t uid);
void accounts_deinit(struct core *core);
/* The quotas were changed: every account's anew. */
void accounts_renew(struct core *core);
/* May the uid take one more of a table of max records, of which it has n?  Nobody but root may
 * fill a table alone. */
bool account_share(const struct account *account, uint32_t n, uint32_t max);
/* The object of it to evict first; only while it has some that may be. */
uint32_t account_victim(const struct account *account);
/* Append ": largest holders: uid 1000 pid 7 (python3) 1.2 GiB, ...". */
void account_name_holders(const struct core *core, struct text *text);

#endif
