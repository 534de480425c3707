#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Metadata, names and data beyond their limits end their connection.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile too-long-metadata
