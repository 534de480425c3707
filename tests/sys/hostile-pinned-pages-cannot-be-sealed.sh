#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A draft of which somebody pins a page is not sealed, and waiting for it holds up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile pinned-pages
