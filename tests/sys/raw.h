/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client without the library: it speaks the wire format itself, and so can
 * break every rule of it.  Whatever goes wrong on its own side ends the process
 * with a line on stderr: what is left to the caller is what the broker did.
 */
#ifndef TESTS_RAW_H
#define TESTS_RAW_H

#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/socket.h"
#include "wire/message.h"

#define RAW_PATIENCE_MS 20000 /* more than any answer takes on a busy machine */
#define RAW_CLOSED      1     /* instead of a status: the broker hung up */

struct raw {
	int call, service; /* -1: none */
	uint64_t serial;   /* the last that was used */
	uint32_t acked;    /* descriptors received so far */
	bool no_acks;      /* never say so */
	uint64_t generation;
	struct wire_scratch scratch;
	struct socket_packet in; /* the last one received; descriptors are closed by the next */
	uint8_t *out;
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An id that nobody else has. */
struct id128 raw_id(void);

/* Connect to $OSTORE_ADDRESS, without a word. */
struct raw *raw_connect(void);
/* Around a socket that is connected already. */
struct raw *raw_new(int socket);
/* Connect and say hello. */
struct raw *raw_open(void);
/* Return: NULL. */
struct raw *raw_close(struct raw *raw);

/* ---- sending ---- */

/* Return: 0, or -errno as socket_send(); waits RAW_PATIENCE_MS at most. */
int raw_send_bytes(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds);
/* Fill in serial (unless given) and acknowledgements, encode into raw->out. */
size_t raw_encode(struct raw *raw, struct wire_request *request);
int raw_send(struct raw *raw, struct wire_request *request, const int *fds, size_t n_fds);

/* ---- receiving ---- */

/* One packet.  Return: 0, RAW_CLOSED, or -EAGAIN when none came in time. */
int raw_receive(struct raw *raw, struct wire_reply *reply, int timeout_ms);
/* Take the last packet's descriptor out of it; dies when there is none. */
int raw_take_fd(struct raw *raw);
/* Send, and wait for the answer to this.  Return: its status, or RAW_CLOSED. */
int raw_call(struct raw *raw, struct wire_request *request, const int *fds, size_t n_fds,
	struct wire_reply *reply);

/* ---- one request each; return as raw_call() ---- */

int raw_hello(struct raw *raw, uint32_t flags);
int raw_put(struct raw *raw, struct id128 id, const void *data, size_t size);
/* @fdp: out: the draft's memfd, on success */
int raw_create(struct raw *raw, struct id128 id, uint64_t size, int *fdp);
int raw_seal(struct raw *raw, struct id128 id);
int raw_put_fd(struct raw *raw, struct id128 id, uint64_t size, int fd);
int raw_get(struct raw *raw, struct id128 id, uint32_t flags, int64_t timeout_ns,
	struct wire_reply *reply);
int raw_delete(struct raw *raw, struct id128 id);
/* Nothing is answered.  Return: as raw_send_bytes(). */
int raw_release(struct raw *raw, struct id128 id, uint32_t refs, uint32_t pins);

/* A memfd of this size with these seals, filled with byte; not written when byte < 0. */
int make_memfd(uint64_t size, int byte, int seals);
#define HARD_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* ---- what must happen ---- */

/* The broker hangs up; replies before it are allowed. */
void expect_closed(struct raw *raw, const char *what);
/* The broker hangs up, or answers with an error. */
void expect_refused(struct raw *raw, const char *what);
void expect_status(int status, int expected, const char *what);
/* This client is served as ever. */
void expect_served(struct raw *raw, const char *what);

#endif
