/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/spin.h"

#include "util/cleanup.h"
#include "util/clock.h"

#define SPIN_MIN_NS (10 * NS_PER_US)
#define SPIN_MAX_NS (50 * NS_PER_US)
#define SHORT_NS    (2 * SPIN_MAX_NS) /* what came in time and a wake-up */
#define PENALTY_MIN 32U
#define PENALTY_MAX 4096U

int64_t spin_begin(struct spin *spin)
{
	if (spin->rest > 0) {
		spin->rest--;
		return 0;
	}
	return spin->ns;
}

void spin_end(struct spin *spin, int64_t spun_ns, bool hit, int64_t waited_ns)
{
	if (hit) {
		spin->penalty = 0;
	} else if (spun_ns == 0 && spin->rest > 0) {
		return; /* resting: nothing is learned */
	} else if (waited_ns >= SHORT_NS) {
		spin->ns = spin->ns / 2 < SPIN_MIN_NS ? 0 : spin->ns / 2;
	} else if (spun_ns < SPIN_MAX_NS) {
		spin->ns = MIN(MAX(2 * spin->ns, SPIN_MIN_NS), SPIN_MAX_NS);
	} else {
		spin->ns = 0;
		spin->penalty = MIN(MAX(2 * spin->penalty, PENALTY_MIN), PENALTY_MAX);
		spin->rest = spin->penalty;
	}
}
