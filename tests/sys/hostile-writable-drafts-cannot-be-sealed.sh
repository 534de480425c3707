#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A draft that its creator still maps or has pinned is not sealed, and nobody waits for it.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile writable-drafts
