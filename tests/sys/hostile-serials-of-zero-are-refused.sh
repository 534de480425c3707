#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request without a serial ends its connection.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile bad-serials
