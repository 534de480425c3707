#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The replies that the connections of one uid do not read are bounded together.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile thousands-never-read
