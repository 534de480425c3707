#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A client that kept a descriptor for each mapped object would end at its limit of
# open files; one that lost objects at the limit would leak them.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=256MiB
"$top_builddir/tests/sys/client-threads" descriptors_are_closed_once_mapped || fail "limit"
"$top_builddir/tests/sys/client-threads" no_descriptor_left_is_an_error_of_its_own || fail "at the limit"
