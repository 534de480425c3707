#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Thousands of children that never speak disturb nobody, and go with their process.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile thousands-of-forks
