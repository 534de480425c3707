#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Thousands of connections that say nothing do not keep others from connecting.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile thousands-without-a-word
