#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A FUSE file whose server never answers hangs nobody: neither fstat nor close.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile mute-files
