#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Packets of no bytes end their connection and nothing else.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile empty-packets
