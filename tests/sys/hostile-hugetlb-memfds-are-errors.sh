#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A memfd of a huge page pool, whose reader could get SIGBUS, is not taken.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile hugetlb
