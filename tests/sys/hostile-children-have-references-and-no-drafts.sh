#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Children hold what their parent held, but for its drafts.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile children-of-children
