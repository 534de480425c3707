#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Acknowledgements of descriptors that were never sent end their connection.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile false-acknowledgements
