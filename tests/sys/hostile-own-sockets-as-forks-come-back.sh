#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The sockets of the broker itself, sent as children, do no harm.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile own-sockets-as-forks
