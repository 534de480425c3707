#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A parser that trips over a seed, or over an input that once crashed it.
set -eu
fuzz=${top_srcdir:-.}/tests/fuzz
built=${top_builddir:-.}/tests/fuzz

"$built/fuzz-wire" -runs=0 "$fuzz/wire_seed_corpus"
"$built/fuzz-util" -runs=0 "$fuzz/util_seed_corpus"
"$built/fuzz-spill" -runs=0 "$fuzz/spill_seed_corpus"
"$built/fuzz-session" -runs=0 "$fuzz/session_seed_corpus"
