#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel bounds the descriptors on their way from the broker: one uid gets its share of them.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile descriptors-in-flight
