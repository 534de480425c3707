#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A memfd that nobody could map is not taken.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile write-only
