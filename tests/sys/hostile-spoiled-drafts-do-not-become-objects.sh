#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Seals that a creator puts on a draft do not lead to an object that can change.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile spoiled-drafts
