/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim/request.h - a request as the simulation thinks of it
 *
 * Ids, names, tokens and bytes are small numbers here; request_encode() turns
 * them into a packet and that into what the core sees, in a scratch that is
 * overwritten once the event's effects are taken, so that a pointer kept too long
 * reads rubbish.
 */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/message.h"

#define IDS       40 /* ids 0 .. IDS-1 are created and looked for */
#define ID_ZERO   -1
#define ID_ALIEN  1000 /* ids from here on are never created */
#define NAMES     6
#define NAME_NONE -1
#define TOKENS    24
#define LABEL_KEYS 3
#define LABEL_VALUES 3
#define LABEL_KEY_BAD 99 /* instead of a value: no label at all */
#define ITEMS     64 /* most items that a simulated request has */

struct request_item {
	int id;
	uint32_t flags, mode;
	uint64_t size;
	uint32_t refs, pins;
	uint32_t metadata_size, data_size;
	uint64_t tag; /* stands for data and metadata */
	int name;
	struct attributes {
		uint8_t labels[LABEL_KEYS]; /* of each key: 0: not there; else which value */
		uint8_t unlabel; /* SET: bitmap of keys */
		int call_site;   /* 0: none */
		int priority;
		int64_t ttl_ns;
	} attributes;
};

struct request {
	uint16_t type;
	bool retry, more;
	uint64_t serial;
	uint32_t flags, limit;
	int64_t timeout_ns;
	uint64_t generation, cursor, skip;
	int token, name;
	int label, label_value; /* LIST: a key, and a value of it or 0; -1: none */
	bool pattern;           /* LIST: name is one of those that have a name */
	struct request_item items[ITEMS];
	uint32_t n_items;
	int fd;         /* that travels with it; -1 */
	uint32_t memfd; /* PUT_FD: what the client offers */
};

struct request_scratch {
	struct wire_request wire; /* as decoded from the packet, and borrowing from it */
	struct wire_scratch decoded;
	uint8_t packet[WIRE_PACKET_MAX] __attribute__((aligned(8)));
	uint8_t bytes[2 * WIRE_PACKET_MAX]; /* data and metadata of all items */
	size_t n_packet, n_bytes;
};

struct id128 request_id(int id);
/* The number behind an id; ID_ALIEN for one that request_id() never made. */
int request_id_number(const struct id128 *id);
struct id128 request_token(int token);
int request_token_number(const struct id128 *token);
/* The text of a name in buffer (WIRE_NAME_MAX + 2 bytes). */
const char *request_name(int name, char *buffer); /* name 0 is as long as names may be */
int request_name_number(const char *name);

/* The labels as they are kept, in a buffer of 512 bytes.  Return: their size. */
uint32_t request_labels(const struct attributes *attributes, char *buffer);
/* The text of a call site, or NULL. */
const char *request_call_site(int call_site);

/* Bytes that stand for a tag, and the check that some bytes do. */
void request_fill(uint8_t *bytes, size_t size, uint64_t tag);
/* A number that stands for these bytes in a memfd's tag. */
uint64_t request_hash(const void *bytes, size_t size);
bool request_is_filled(const void *bytes, size_t size, uint64_t tag);

/* As the broker hands it to the core: encoded and decoded.  NULL: does not fit into a packet. */
const struct wire_request *request_encode(struct request_scratch *scratch,
	const struct request *request);
void request_spoil(struct request_scratch *scratch);
void request_scratch_deinit(struct request_scratch *scratch);
/* One line for the trace. */
void request_print(const struct request *request);

#endif
