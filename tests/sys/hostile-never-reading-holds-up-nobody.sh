#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who never reads his answers is no longer read himself.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile never-reads
