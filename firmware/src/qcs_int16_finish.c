/* SPDX-License-Identifier: Apache-2.0 */
/* From sums to activations of the int16 encoder, plain C: the specification of qcs_int16_mve.c. */
#include "qcs_int16_kernels.h"

#if QCS_LAYOUT != QCS_LAYOUT_MVE

/* TFLM's int16 TANH of a pre-activation in steps of 2^-12: three steps of the table's grid each,
 * linear between points. Saturates before int16 does, so that |pre| < 2^30 may be any. Mirrors
 * qcskit.codec.learned.int16.tanh. */
static int16_t tanh_of(const int16_t *table, int32_t pre) {
  const uint32_t steps = 3U * (uint32_t)(pre < 0 ? -pre : pre);
  const uint32_t place = steps >> 8;
  int32_t value = 32767;
  if (place < 255U) {
    const int32_t low = qcs_rom_i16(table + place);
    const int32_t rise = qcs_rom_i16(table + place + 1) - low;
    value = (low * 256 + (int32_t)(steps & 0xFFU) * rise + 128) >> 8;
  }
  return (int16_t)(pre < 0 ? -value : value);
}

/* qcs_requantize for |acc << shift| < 2^30: twice that fits, so that the first rounding is the high
 * word of a product, and no sum overflows in the second. */
static int32_t requantize(int32_t acc, int32_t multiplier, int8_t shift) {
#if QCS_AVR_KERNEL
  return qcs_requantize(acc, multiplier, shift);
#else
  const unsigned left = 1U + (shift > 0 ? (unsigned)shift : 0U);
  const int32_t shifted = (int32_t)((uint32_t)acc << left);
  const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 31)) >> 32);
  if (shift >= 0)
    return high;
  return (((high + (high >> 31)) >> (unsigned)(-1 - shift)) + 1) >> 1;
#endif
}

void qcs_int16_finish(const qcs_int16_layer_t *layer, uint16_t first, uint16_t count,
                      const int32_t sums[QCS_INT16_ROWS], int16_t y[]) {
  const int32_t *bias = layer->bias + first, *multiplier = layer->multiplier + first;
  const int8_t *shift = layer->shift + first;
  const int16_t *const table = layer->activation;
  const int16_t low = layer->low, high = layer->high;
  for (uint16_t i = 0; i < count; i++) {
    const int32_t acc = sums[i] + qcs_rom_i32(bias++);
    const int32_t scaled = requantize(acc, qcs_rom_i32(multiplier++), qcs_rom_i8(shift++));
    y[i] = table ? tanh_of(table, scaled) : qcs_clamp(scaled, low, high);
  }
}

#endif
