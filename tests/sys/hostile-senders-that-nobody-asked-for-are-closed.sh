#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Pidfds that a child's socket was made to bring with each packet do not stay open.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile senders-unasked
