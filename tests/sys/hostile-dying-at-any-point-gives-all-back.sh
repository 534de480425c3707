#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A client that is killed after any packet of a conversation leaves nothing behind.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile dies-at-any-point
