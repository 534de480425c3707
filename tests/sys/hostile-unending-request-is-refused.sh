#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request in packet after packet without an end is refused before it costs much.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile unending-request
