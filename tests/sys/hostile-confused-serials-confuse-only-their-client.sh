#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Serials that repeat or fall confuse nobody but the client.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile confused-serials
