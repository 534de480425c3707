#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that come at once, while idle objects use all descriptors, would be
# refused although room can be made for them.
. "${top_srcdir:-.}/tests/lib/functions.sh" || exit 99

start_broker --capacity=64MiB --max_descriptors=400
"$top_builddir/tests/sys/client-threads" a_burst_of_clients_finds_room || fail "client-threads"
