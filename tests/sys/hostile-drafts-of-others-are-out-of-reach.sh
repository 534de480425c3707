#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Nobody but its creator can see, seal, abort or release a draft.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile drafts-of-others
