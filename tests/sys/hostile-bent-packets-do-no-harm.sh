#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests with one wrong bit are refused, or do what they then mean.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile bent-packets
