#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A uid can have so many connections, and is told so.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile too-many-connections
