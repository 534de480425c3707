#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What belonged to clients that died while there was no worker comes back.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile dead-meanwhile
