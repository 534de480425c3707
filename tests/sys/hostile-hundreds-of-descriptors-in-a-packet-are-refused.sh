#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# As many descriptors in a packet as the kernel allows do not fill the table.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile hundreds-in-a-packet
