#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing is done for a client that has not said hello.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile requests-before-hello
