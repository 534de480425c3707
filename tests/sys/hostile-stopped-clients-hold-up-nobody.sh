#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that are stopped, and later killed, hold up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile stopped
