#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who acknowledges no descriptors has at most 64 on their way.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile never-acknowledges
