#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Sizes near the end of 64 bits are errors and overflow no sum.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile overflowing-sizes
