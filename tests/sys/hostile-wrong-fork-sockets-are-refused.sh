#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is no connected packet socket is not taken for a child.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile wrong-fork-sockets
