#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a client sent before it died is carried out, although no reply reaches it.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile last-words
