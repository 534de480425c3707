#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ids, names and tokens that cannot be are errors.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile impossible-ids-and-names
