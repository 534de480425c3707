#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Releases of what was never there do nothing.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile release-of-nothing
