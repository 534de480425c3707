#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a uid may not read does not exist for it.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile objects-of-others
