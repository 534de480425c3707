#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests of which the last part never comes are bounded, and hold up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile flood-of-parts
