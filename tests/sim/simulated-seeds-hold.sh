#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Lives of a simulated store from many seeds; SIM_SEEDS says how many.
exec "${top_builddir:?}/tests/sim/sim" --seeds "${SIM_SEEDS:-100}" --jobs 2
