/* SPDX-License-Identifier: Apache-2.0 */
#include "qcs_range.h"

bool qcs_range_advance(qcs_range_t *coder, uint32_t add, uint32_t range) {
  uint32_t low = coder->low + add;
  if (low < add) {
    uint8_t *byte = coder->out;
    do
      (*--byte)++;
    while (*byte == 0);
  }
  while (range < UINT32_C(1) << 24) {
    if (coder->out == coder->end)
      return false;
    *coder->out++ = (uint8_t)(low >> 24);
    low <<= 8;
    range <<= 8;
  }
  coder->low = low;
  coder->range = range;
  return true;
}

bool qcs_range_put_symbol(qcs_range_t *coder, const uint16_t *from) {
  const uint16_t start = qcs_rom_u16(from);
  return qcs_range_put_part(coder, start, (uint16_t)((qcs_rom_u16(from + 1) - start) & 0xFFFU));
}

bool qcs_range_put_number(qcs_range_t *coder, unsigned value, unsigned bits) {
  const uint32_t r = coder->range >> bits;
  return qcs_range_advance(coder, r * value, r);
}

bool qcs_range_put_end(qcs_range_t *coder) {
  uint32_t left = 0U - coder->low, range = UINT32_C(1) << 24;
  if (left - 1U >= coder->range - 1U) { /* no carry; left may be 0 */
    left &= UINT32_C(0xFFFFFF);
    range >>= 8;
  }
  return qcs_range_advance(coder, left, range);
}
