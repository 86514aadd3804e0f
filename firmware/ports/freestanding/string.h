/* SPDX-License-Identifier: Apache-2.0 */
/* The two functions of libc that the firmware uses, for toolchains without one. */
#ifndef QCS_FREESTANDING_STRING_H
#define QCS_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int value, size_t n);

#endif
