/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy and memset: the firmware and the compiler's own code need no more of libc. */
#include <stdint.h>
#include <string.h>

/* A plain loop, which the compiler must not turn into a call of the function it is in. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  uint8_t *t = to;
  const uint8_t *f = from;
  while (n-- > 0)
    *t++ = *f++;
  return to;
}

void *memset(void *to, int value, size_t n) {
  uint8_t *t = to;
  while (n-- > 0)
    *t++ = (uint8_t)value;
  return to;
}
