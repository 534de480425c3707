/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ds/memory.h"

void (*memory_is_large)(void *memory, size_t size, bool grows);
