#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# To an heir nobody can claim more than he held.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile false-claims
