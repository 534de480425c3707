#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Packets that only a broker may send end their connection.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile replies-as-requests
