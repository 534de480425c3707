/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "client.h"
#include "util/clock.h"

#define HUGE_PAGE (UINT64_C(2) << 20)

static const struct {
	uint16_t type;
	uint32_t weight;
} usual[] = {
	{ WIRE_CREATE, 80 },
	{ WIRE_SEAL, 80 },
	{ WIRE_ABORT, 12 },
	{ WIRE_PUT, 90 },
	{ WIRE_PUT_FD, 30 },
	{ WIRE_GET, 170 },
	{ WIRE_RELEASE, 170 },
	{ WIRE_DELETE, 60 },
	{ WIRE_HOLD, 20 },
	{ WIRE_UNHOLD, 16 },
	{ WIRE_LOOKUP, 24 },
	{ WIRE_LEASE, 20 },
	{ WIRE_LOAD, 20 },
	{ WIRE_SHARE, 30 },
	{ WIRE_JOIN, 50 },
	{ WIRE_FORK, 6 },
	{ WIRE_ACK, 3 },
	{ WIRE_CANCEL, 12 },
	{ WIRE_WAIT, 24 },
	{ WIRE_LIST, 8 },
	{ WIRE_STAT, 16 },
	{ WIRE_STATUS, 3 },
	{ WIRE_SUBSCRIBE, 40 },
	{ WIRE_SET, 40 },
};

void habits_draw(struct habits *habits, struct rng *rng, uint64_t capacity)
{
	memset(habits, 0, sizeof *habits);
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
		uint32_t weight = usual[i].weight;

		/* Each seed likes some requests more, and hardly knows others. */
		if (rng_chance(rng, 200))
			weight *= 3;
		else if (rng_chance(rng, 150))
			weight = weight / 6;
		habits->weights[usual[i].type] = weight;
		habits->total += weight;
	}
	habits->nonsense = rng_chance(rng, 300) ? 200 : 40;
	habits->usual_size = capacity / rng_range(rng, 2, 24);
	if (habits->usual_size < 8192)
		habits->usual_size = 8192;
	habits->usual_timeout = rng_chance(rng, 500) ? 50 * NS_PER_MS : 5 * NS_PER_S;
	habits->ids = rng_range(rng, 8, IDS);
	habits->batch = rng_range(rng, 1, 6);
	habits->bulkiness = 10;
}

static int draw_any_id(const struct habits *habits, struct rng *rng)
{
	if (rng_chance(rng, habits->nonsense / 4))
		return rng_chance(rng, 200) ? ID_ZERO : ID_ALIEN + (int)rng_below(rng, 5);
	return rng_below(rng, habits->ids);
}

/* The id of an object for which fits() holds; any id when there is none. */
static int draw_id(const struct habits *habits, struct rng *rng, const struct model *model,
	uint32_t conn, bool (*fits)(const struct model *, const struct object *, uint32_t conn))
{
	uint32_t n = 0, chosen = 0;

	if (rng_chance(rng, habits->nonsense))
		return draw_any_id(habits, rng);
	for (uint32_t i = 0; i < OBJECTS; i++)
		if (model->objects[i].live && fits(model, &model->objects[i], conn))
			if (rng_below(rng, ++n) == 0)
				chosen = i;
	return n ? model->objects[chosen].id : draw_any_id(habits, rng);
}

static bool is_own_draft(const struct model *model, const struct object *object, uint32_t conn)
{
	return object->state == OBJECT_DRAFT && object->creator == conn && !object->deleted;
}

static bool is_resident(const struct model *model, const struct object *object, uint32_t conn)
{
	return object->state == OBJECT_RESIDENT && !object->deleted;
}

static bool is_held(const struct model *model, const struct object *object, uint32_t conn)
{
	uint32_t i = object - model->objects;

	return (object->state == OBJECT_RESIDENT || object->creator != conn) &&
		(model->conns[conn].refs[i] || model->conns[conn].pins[i]);
}

static uint32_t draw_mode(struct rng *rng)
{
	static const uint32_t modes[] = { 0600, 0600, 0640, 0644, 0660, 0666, 0604, 0606, 0400, 0,
		0622, 0620, 0444, 0440, 0777 };

	if (rng_chance(rng, 20))
		return rng_next(rng);
	return modes[rng_below(rng, sizeof modes / sizeof modes[0])];
}

static uint64_t draw_size(const struct habits *habits, struct rng *rng, const struct model *model)
{
	uint64_t size;

	if (rng_chance(rng, habits->nonsense / 5))
		return rng_chance(rng, 500) ? UINT64_MAX - rng_bits(rng, 24) : rng_bits(rng, 64);
	switch (rng_below(rng, 10)) {
	case 0:
		return rng_bits(rng, 6);
	case 1:
		return rng_below(rng, 2 * (uint64_t)model->config.inline_max + 2);
	case 2: /* about a huge page */
		return HUGE_PAGE - 2 + rng_below(rng, 4);
	case 3:
		return rng_below(rng, 3 * HUGE_PAGE);
	case 4: /* about all there is */
		size = model->capacity / rng_range(rng, 1, 3);
		return size - rng_bits(rng, 16) % (size + 1);
	default:
		return rng_below(rng, habits->usual_size + 1);
	}
}

/* The event from which on a subscriber wants to be told: mostly a late one. */
static uint64_t draw_event(const struct habits *habits, struct rng *rng)
{
	uint64_t next = model_events_next();

	if (rng_chance(rng, habits->nonsense / 4))
		return rng_bits(rng, 64);
	switch (rng_below(rng, 10)) {
	case 0:
		return WIRE_EVENTS_KEPT;
	case 1:
		return WIRE_EVENTS_NEW;
	case 2:
		return rng_below(rng, next) + 1;
	case 3:
		return next + rng_below(rng, 40);
	default:
		return next > 20 ? next - rng_below(rng, 20) : next;
	}
}

static int64_t draw_timeout(const struct habits *habits, struct rng *rng)
{
	switch (rng_below(rng, 6)) {
	case 0:
		return 0;
	case 1:
		return FOREVER_NS;
	case 2:
		return rng_bits(rng, 40);
	default:
		return 1 + rng_below(rng, habits->usual_timeout);
	}
}

static uint32_t draw_metadata_size(const struct habits *habits, struct rng *rng)
{
	if (rng_chance(rng, habits->bulkiness))
		return WIRE_METADATA_MAX - rng_below(rng, 2);
	return rng_chance(rng, 700) ? 0 : rng_bits(rng, rng_chance(rng, 100) ? 14 : 7);
}

static int draw_name(struct rng *rng)
{
	return rng_below(rng, NAMES);
}

static uint64_t draw_ttl(struct rng *rng)
{
	switch (rng_below(rng, 12)) {
	case 0:
		return FOREVER_NS;
	case 1:
		return -(int64_t)rng_bits(rng, 20); /* 0, or no time at all */
	default:
		return rng_bits(rng, rng_range(rng, 1, 38));
	}
}

static void draw_labels(struct attributes *attributes, struct rng *rng)
{
	for (int i = 0; i < LABEL_KEYS; i++)
		if (rng_chance(rng, 500))
			attributes->labels[i] = rng_range(rng, 1, LABEL_VALUES);
	if (rng_chance(rng, 10))
		attributes->labels[0] = LABEL_KEY_BAD;
}

static void draw_attributes(struct request_item *item, struct rng *rng)
{
	struct attributes *attributes = &item->attributes;

	if (rng_chance(rng, 150))
		draw_labels(attributes, rng);
	if (rng_chance(rng, 100))
		attributes->call_site = rng_range(rng, 1, 2);
	if (rng_chance(rng, 250))
		attributes->priority = (int)rng_below(rng, 7) - 3;
	else if (rng_chance(rng, 30))
		attributes->priority = (int)rng_below(rng, 33) - 16;
	if (rng_chance(rng, 120))
		attributes->ttl_ns = draw_ttl(rng);
	if (rng_chance(rng, 60))
		item->flags |= WIRE_ITEM_PIN;
}

static void draw_change(struct request_item *item, struct rng *rng)
{
	if (rng_chance(rng, 300)) {
		draw_labels(&item->attributes, rng);
		item->attributes.unlabel = rng_below(rng, 1 << LABEL_KEYS);
	}
	if (rng_chance(rng, 400)) {
		item->flags |= WIRE_ITEM_PRIORITY;
		item->attributes.priority = (int)rng_below(rng, 9) - 4;
	}
	if (rng_chance(rng, 200)) {
		item->flags |= WIRE_ITEM_TTL;
		item->attributes.ttl_ns = draw_ttl(rng);
	}
	if (rng_chance(rng, 400))
		item->flags |= rng_chance(rng, 400) ? WIRE_ITEM_PIN : WIRE_ITEM_UNPIN;
}

static void draw_new_object(struct request_item *item, const struct habits *habits,
	struct rng *rng, const struct model *model)
{
	item->id = rng_chance(rng, 8) ? ID_ZERO : (int)rng_below(rng, habits->ids);
	for (int i = 0; i < 6 && model_find(model, item->id) >= 0; i++) /* mostly a new one */
		item->id = rng_below(rng, habits->ids);
	item->mode = draw_mode(rng);
	item->metadata_size = draw_metadata_size(habits, rng);
	item->tag = rng_next(rng);
	if (rng_chance(rng, 60))
		item->name = draw_name(rng);
	if (rng_chance(rng, 20))
		item->flags = WIRE_ITEM_HOLD;
	draw_attributes(item, rng);
}

static uint32_t draw_batch(const struct habits *habits, struct rng *rng)
{
	if (rng_chance(rng, 15))
		return rng_range(rng, 16, 40);
	return rng_chance(rng, 500) ? 1 : rng_range(rng, 1, habits->batch);
}

static uint16_t draw_type(const struct habits *habits, struct rng *rng)
{
	uint32_t at = rng_below(rng, habits->total);
	uint16_t type = 0;

	while (at >= habits->weights[type])
		at -= habits->weights[type++];
	return type;
}

void client_draw(struct request *request, const struct habits *habits, struct rng *rng,
	const struct model *model, uint32_t conn)
{
	memset(request, 0, sizeof *request);
	request->type = draw_type(habits, rng);
	request->token = -1;
	request->name = NAME_NONE;
	request->fd = -1;
	request->label = -1;
	request->n_items = 1;
	for (uint32_t i = 0; i < ITEMS; i++)
		request->items[i].name = NAME_NONE;

	switch (request->type) {
	case WIRE_CREATE:
	case WIRE_PUT_FD:
		for (uint32_t i = 0; i < request->n_items; i++) {
			draw_new_object(&request->items[i], habits, rng, model);
			request->items[i].size = draw_size(habits, rng, model);
		}
		if (rng_chance(rng, 600))
			request->timeout_ns = draw_timeout(habits, rng);
		break;
	case WIRE_PUT:
		request->n_items = draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++) {
			draw_new_object(&request->items[i], habits, rng, model);
			request->items[i].data_size = rng_bits(rng, rng_chance(rng, 100) ? 16 : 10);
		}
		if (rng_chance(rng, 600))
			request->timeout_ns = draw_timeout(habits, rng);
		break;
	case WIRE_SHARE:
		request->items[0].id = draw_id(habits, rng, model, conn, is_own_draft);
		request->token = rng_below(rng, TOKENS);
		break;
	case WIRE_JOIN:
		request->items[0].id = draw_any_id(habits, rng);
		request->token = rng_below(rng, TOKENS);
		for (uint32_t i = 0, n = 0; i < LEASES; i++)
			if (model->leases[i].used &&
				model->objects[model->leases[i].object].state == OBJECT_DRAFT &&
				rng_below(rng, ++n) == 0 && !rng_chance(rng, habits->nonsense)) {
				request->token = model->leases[i].token;
				request->items[0].id = model->objects[model->leases[i].object].id;
			}
		break;
	case WIRE_SEAL:
		if (rng_chance(rng, 800))
			request->timeout_ns = draw_timeout(habits, rng);
		__attribute__((fallthrough));
	case WIRE_ABORT:
		request->n_items = rng_chance(rng, 800) ? 1 : draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++)
			request->items[i].id = draw_id(habits, rng, model, conn, is_own_draft);
		break;
	case WIRE_GET:
	case WIRE_WAIT:
		request->n_items = draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++)
			request->items[i].id = rng_chance(rng, 700)
				? draw_id(habits, rng, model, conn, is_resident)
				: draw_any_id(habits, rng);
		request->timeout_ns = draw_timeout(habits, rng);
		if (request->type == WIRE_WAIT)
			request->limit = rng_below(rng, request->n_items + 2);
		else if (rng_chance(rng, 300))
			request->flags = rng_chance(rng, 500) ? WIRE_GET_REF : WIRE_GET_MAP;
		break;
	case WIRE_RELEASE:
		request->n_items = rng_chance(rng, 700) ? 1 : draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++) {
			struct request_item *item = &request->items[i];

			item->id = draw_id(habits, rng, model, conn, is_held);
			if (rng_chance(rng, habits->nonsense / 3)) {
				item->refs = rng_bits(rng, 32);
				item->pins = rng_bits(rng, 32);
				continue;
			}
			for (uint32_t k = 0; k < OBJECTS; k++)
				if (model->objects[k].live && model->objects[k].id == item->id) {
					item->refs = model->conns[conn].refs[k];
					item->pins = model->conns[conn].pins[k];
				}
			if (rng_chance(rng, 500)) {
				item->refs = rng_below(rng, item->refs + 1);
				item->pins = rng_below(rng, item->pins + 1);
			}
		}
		break;
	case WIRE_DELETE:
		request->n_items = rng_chance(rng, 700) ? 1 : draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++)
			request->items[i].id = draw_id(habits, rng, model, conn, is_resident);
		break;
	case WIRE_HOLD:
		request->items[0].id = draw_id(habits, rng, model, conn, is_resident);
		request->name = draw_name(rng);
		break;
	case WIRE_UNHOLD:
	case WIRE_LOOKUP:
		request->n_items = 0;
		request->name = draw_name(rng);
		break;
	case WIRE_LEASE:
	case WIRE_LOAD:
		request->n_items = rng_chance(rng, 700) ? 1 : draw_batch(habits, rng);
		for (uint32_t i = 0; i < request->n_items; i++)
			request->items[i].id = draw_id(habits, rng, model, conn, is_resident);
		request->token = rng_below(rng, TOKENS);
		if (request->type == WIRE_LOAD && !rng_chance(rng, habits->nonsense))
			for (uint32_t i = 0, n = 0; i < LEASES && n < request->n_items; i++)
				if (model->leases[i].used &&
					model->leases[i].token == request->token)
					request->items[n++].id =
						model->objects[model->leases[i].object].id;
		break;
	case WIRE_STAT:
		request->items[0].id = rng_chance(rng, 700)
			? draw_id(habits, rng, model, conn, is_resident)
			: draw_any_id(habits, rng);
		break;
	case WIRE_LIST:
		request->n_items = 0;
		request->limit = rng_below(rng, 30);
		if (rng_chance(rng, 400)) {
			request->label = rng_below(rng, LABEL_KEYS);
			request->label_value = rng_below(rng, LABEL_VALUES + 1);
		}
		request->pattern = rng_chance(rng, 300);
		if (rng_chance(rng, 500))
			request->flags = WIRE_LIST_HOLDERS;
		break;
	case WIRE_SET:
		request->items[0].id = draw_id(habits, rng, model, conn, is_resident);
		draw_change(&request->items[0], rng);
		break;
	case WIRE_SUBSCRIBE:
		request->n_items = 0;
		request->cursor = draw_event(habits, rng);
		request->limit = rng_chance(rng, 300) ? 0 : rng_below(rng, 30);
		request->timeout_ns = draw_timeout(habits, rng);
		break;
	case WIRE_CANCEL: {
		uint32_t n = 0;

		request->n_items = 0;
		request->cursor = rng_bits(rng, 10);
		if (!rng_chance(rng, habits->nonsense))
			for (uint32_t i = 0; i < model->n_waits; i++)
				if (model->waits[i].used && model->waits[i].conn == conn &&
					rng_below(rng, ++n) == 0)
					request->cursor = model->waits[i].request.serial;
		break;
	}
	default: /* FORK, ACK, STATUS */
		request->n_items = 0;
		break;
	}
}
