#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Children by the thousand, each with what its parent holds, hold up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile flood-of-forks
