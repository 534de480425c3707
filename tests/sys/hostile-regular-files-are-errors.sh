#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Regular files are not taken for memfds.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile regular-files
