#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request that asks for one object thousands of times is answered without harm.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile one-object-thousands-of-times
