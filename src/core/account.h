/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/account.h - who uses how much: charges by uid, and the words for it
 *
 * An object is charged to its owner, whoever else refers to it: the owner can get
 * rid of it by deleting it.  From then on only those who hold it keep it, and it is
 * charged to one of them: to its owner while a connection of his still maps it (once
 * the memory is gone: holds it), else to the uid of the oldest connection that does.
 */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/core.h"

struct account;
struct core;
struct cost;
struct text;
struct wire_field;

/* The account of a uid, made on first use; it lasts to the end of the event at least. */
struct account *account_get(struct core *core, uid_t uid);
/* Something that was charged is not any more. */
void account_released(struct core *core, struct account *account);
/* The event is over: forget those with which nothing is charged. */
void accounts_forget_idle(struct core *core);
void accounts_deinit(struct core *core);
/* The quotas were changed: every account's anew. */
void accounts_renew(struct core *core);

void account_charge(struct account *account, const struct cost *cost);
void account_return(struct core *core, struct account *account, const struct cost *cost);

/* May the uid take one more of a table of max records, of which it has n?  Nobody but root may
 * fill a table alone, where others are served too. */
bool account_share(const struct core *core, const struct account *account, uint64_t n, uint64_t max);
/* The object of it to evict first; only while it has some that may be. */
uint32_t account_victim(const struct account *account);
/* Append "; largest holders: uid 1000 pid 7 (python3) 1.2 GiB, ...".
 * @of: tell of this uid's objects and processes only; NULL: of all */
void account_name_holders(const struct core *core, const struct account *of, struct text *text);

/* Fields of a STATUS that say what each uid uses: all of them to root, one's own to others.
 * @fields: room for ACCOUNT_FIELDS_MAX.  Return: how many. */
#define ACCOUNT_FIELDS_MAX 448
uint32_t accounts_describe(struct core *core, uint32_t conn, struct wire_field *fields);

#endif
