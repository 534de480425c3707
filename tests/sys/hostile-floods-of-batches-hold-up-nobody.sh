#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A flood of the biggest batches and lists does not hold up another user.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile flood-of-batches
