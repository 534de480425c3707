#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Cancelling what was never asked, or twice, does nothing.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile senseless-cancels
