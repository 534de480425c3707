#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is granted cannot be written, not even when it is opened anew for writing.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile reopened
