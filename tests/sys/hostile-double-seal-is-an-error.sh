#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A second seal is an error and changes nothing.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile double-seal
