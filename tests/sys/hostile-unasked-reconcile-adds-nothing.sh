#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A client cannot claim references by pretending that a worker had died.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile unasked-reconcile
