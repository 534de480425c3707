#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Pipes, sockets, devices and the like are not taken for memfds.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile wrong-kinds
