#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Releases of what was never there do nothing.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh"
hostile release-of-nothing
