#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A client that speaks no version of ours is told so, in a sentence.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile other-versions
