#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# More or fewer descriptors than announced, or than a request has, are refused.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile wrong-counts
