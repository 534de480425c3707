#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A dead client is dead although a stranger has its socket.
. "${top_srcdir:-.}/tests/sys/hostile-functions.sh" || exit 99
hostile dies-with-its-socket-elsewhere
