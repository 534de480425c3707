#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A uid that takes all that its quota allows, and asks for more, holds up no other uid.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile hoarding --quota=65534:64MiB
