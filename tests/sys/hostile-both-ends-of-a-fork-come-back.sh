#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A child whose both ends the broker was given does not live for ever.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile both-ends-of-a-fork
