#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A user whose connections ask without end takes turns with the others.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile flood-of-requests
