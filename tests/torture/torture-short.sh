#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two seconds in which workers and clients are killed under load: no wrong byte,
# no lost reference, nothing left behind.
exec bash "${top_srcdir:-.}/tests/torture/run" --seconds 2
