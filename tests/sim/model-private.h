/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the model share with each other only. */
#ifndef SIM_MODEL_PRIVATE_H
#define SIM_MODEL_PRIVATE_H

#include "model.h"

#define COVER(model, class) ((model)->coverage->classes[COVERAGE_##class]++)

/* ---- model.c ---- */

int model_draft(const struct model *m, uint32_t conn, int id);
/* The oldest deleted object of this id that is younger than after; -1. */
int model_next_deleted(const struct model *m, int id, uint64_t after);
int model_gone(const struct model *m, uint32_t conn, int id);
int model_name(const struct model *m, uid_t uid, int name);
int model_lease(const struct model *m, int token, int object);
bool model_evictable(const struct model *m, int object);
void model_holders_changed(struct model *m, int object);
int model_new_object(struct model *m);
void model_set_name(struct model *m, uid_t uid, int name, int object);
void model_publish(struct model *m, int object);
void model_drop(struct model *m, int object);
void model_lose(struct model *m, int object);
void model_delete(struct model *m, int object);
void model_abort(struct model *m, int object);
void model_stop_waiting(struct model *m, int object, int status);
void model_release(struct model *m, uint32_t conn, int object, uint32_t *refs, uint32_t *pins);
void model_leave(struct model *m, uint32_t conn);
void model_give_back(struct model *m, uint32_t conn);
void model_end_wait(struct model *m, int wait);
uint64_t model_metadata_charge(uint32_t size);
/* Of metadata and attributes. */
uint64_t model_more_charge(uint32_t metadata_size, const struct attributes *attributes);
/* May this uid pin so much more? */
bool model_may_pin(const struct model *m, uid_t uid, uint64_t size, uint32_t metadata_size);
/* The permission bits that this connection has: 4 read, 2 write. */
uint32_t model_class_rights(const struct conn *c, uid_t uid, gid_t gid, uint32_t mode);

/* ---- model-request.c ---- */

bool model_is_create(uint16_t type);
int model_find_wait(const struct model *m, uint32_t conn, uint64_t serial);
int model_new_wait(struct model *m, uint32_t conn, uint64_t serial);
/* With this connection's new request, do more wait than may? */
bool model_waits_too_many(struct model *m, uint32_t conn);
void model_end_want(struct model *m, struct want *want);
uint64_t model_quota(const struct model *m, uid_t uid, enum core_resource of);

/* ---- model-effect.c ---- */

/* Is what this GET or WAIT will be told decided? */
bool model_get_over(const struct model *m, const struct wait *wait);
/* Is this object wanted mapped by a GET that waits for it? */
bool model_is_wanted(const struct model *m, int object);
/* Is all there that this GET asks for, and some of it in the pack that is to be mapped? */
bool model_must_unpack(const struct model *m, const struct wait *wait);
/* Such a GET ends. */
void model_unwant(struct model *m, struct wait *wait);
/* Does this want wait for an object that is not in the pack any more? */
bool model_want_is_stale(const struct model *m, const struct want *want);

void model_want_written(struct model *m, struct want *want, int result);

/* ---- model-pack.c ---- */

/* Now; when all that is under way is done; when all is dropped that may be, too. */
enum when { NOW, SOON, AT_BEST };

void model_pack_init(struct model *m);
uint64_t model_pack_charge(const struct model *m, uint64_t size);
bool model_pack_takes(const struct model *m, uint64_t size);
uint64_t model_pack_bytes(const struct model *m);
uint64_t model_pack_gain(const struct model *m, bool at_best);
uint64_t model_pack_need(const struct model *m, uint64_t size, enum when when);
bool model_pack_is_busy(const struct model *m);
/* Is it small, sealed, in a memfd, and mapped by nobody? */
bool model_is_idle(const struct model *m, int object);
/* ... and on its way into the pack? */
bool model_is_repacking(const struct model *m, int object);
#define ANYBODY ((uid_t)-1)
/* How many of this uid's, or ANYBODY's. */
uint32_t model_n_repacking(const struct model *m, uid_t uid);
/* One that is idle and could go there now, with so many bytes left free beside it; -1. */
int model_repackable(const struct model *m, uid_t uid, uint64_t keep);
/* Does this uid's quota of descriptors, and nothing else, hold it up? */
bool model_quota_needs_repacking(struct model *m, uid_t uid);
/* Does anybody need the descriptors of idle objects? */
bool model_needs_repacking(struct model *m);
void model_check_repacking(const struct model *m);
void model_effect_pack_open(struct model *m, const struct core_effect *effect);
void model_effect_pack_write(struct model *m, const struct core_effect *effect);
void model_effect_pack_give(struct model *m, const struct core_effect *effect);
void model_effect_pack_punch(struct model *m, const struct core_effect *effect);
/* It is not in the pack any more. */
void model_pack_leave(struct model *m, int object);
void model_settle_pack(struct model *m);
void model_pack_death(struct model *m);
void model_heir_pack(struct model *m);

/* ---- model-events.c ---- */

void model_events_init(void);
void model_reply_subscribe(struct model *m, struct wait *wait, const struct wire_reply *reply);
void model_check_subscribers(const struct model *m);

/* ---- model-queue.c ---- */

/* Is there a descriptor for an offered memfd? */
bool model_has_fd(struct model *m, uid_t uid);
/* A create of this uid is about to be queued / is no longer. */
void model_join_queue(struct model *m, uid_t uid);
void model_leave_queue(struct model *m, uid_t uid);
/* May it have so much more metadata, and so many bytes more? */
bool model_has_metadata_room(struct model *m, uid_t uid, uint64_t more);
/* Can it be granted at all, with these limits? */
bool model_quota_may_ever(const struct model *m, const struct want *want);
bool model_may_ever_fit(const struct model *m, const struct want *want);
void model_check_fill(const struct model *m);
void model_check_queue(struct model *m);
/* The kernel is asked for it. */
void model_want_starts(struct model *m, struct want *want, enum want_state state);
void model_check_victim(struct model *m, int object);

#endif
