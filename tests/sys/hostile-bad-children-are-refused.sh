#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Children that do not introduce themselves properly are refused.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile bad-children
