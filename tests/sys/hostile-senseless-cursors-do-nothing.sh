#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Listing from a cursor that was never given does no harm.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile senseless-cursors
