#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who releases more than he holds takes nothing from others.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile double-release
