#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A client can say hello once.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile second-hello
