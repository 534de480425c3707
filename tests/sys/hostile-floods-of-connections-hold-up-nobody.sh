#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A user who connects without end does not keep others from being served.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile flood-of-connections
