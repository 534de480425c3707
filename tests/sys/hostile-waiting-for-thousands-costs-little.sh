#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Waiting for thousands of objects at once holds up nobody.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile waiting-for-thousands
