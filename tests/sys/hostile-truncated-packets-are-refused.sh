#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Packets that are cut off anywhere end their connection and nothing else.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile truncated-packets
