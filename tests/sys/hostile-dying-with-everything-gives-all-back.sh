#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# References, pins and drafts of the dead come back.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile dies-holding-everything
