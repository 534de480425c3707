#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that tell an heir nothing, or nonsense, hold up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile silence-and-garbage
