#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A sealed sparse memfd of 1 TiB is charged by its size, not by its blocks.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile sparse
