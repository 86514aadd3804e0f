/* SPDX-License-Identifier: Apache-2.0 */
/* The sawtooth quantizer and its packing. */
#include "qcs_coded.h"

#if defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#endif

#if defined(__ARM_ARCH_6M__) || defined(__AVR__)
#define QCS_NO_LONG_MULTIPLY /* a 32 x 32 -> 64 product would be a library call */
#endif

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !defined(__AVR__) &&         \
    !defined(QCS_CODED_PLAIN)
#define QCS_COUNT_PAIRS /* two counts in a word, the first in the low half */
#endif

/* Two levels: the symbol is the top bit of the phase; eight make a byte, the first lowest. */
static void encode_bits(const qcs_coded_model_t *model, uint16_t n, const int16_t counts[],
                        uint8_t packed[]) {
  uint32_t byte = 0;
  uint8_t held = 0;
  for (uint16_t i = 0; i < n; i++) {
    const uint32_t phase = (uint32_t)counts[i] * model->step + model->offset;
    byte = (byte >> 1) | (phase >> 31 << 7);
    if (++held == 8) {
      *packed++ = (uint8_t)byte;
      byte = 0;
      held = 0;
    }
  }
  if (held > 0)
    *packed = (uint8_t)(byte >> (8U - held));
}

#ifdef QCS_COUNT_PAIRS
static inline uint32_t rotate_right(uint32_t value, unsigned by) {
  return (value >> by) | (value << ((32U - by) & 31U));
}

/* One symbol per half word: bit s - 1 of count + offset, of two counts at once; no carry between
 * the halves. */
static inline uint32_t top_bits(const int16_t counts[], uint32_t low, uint32_t offset,
                                uint32_t top) {
  uint32_t pair;
#if (defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)) || defined(__riscv)
  pair = (uint32_t)(uint16_t)counts[0] | (uint32_t)(uint16_t)counts[1] << 16;
#else
  __builtin_memcpy(&pair, counts, sizeof pair); /* one load: counts may lie on any half word */
#endif
#if defined(__ARM_FEATURE_SIMD32)
  (void)low;
  return __uadd16(pair, offset) & top;
#else
  return ((pair & low) + offset) & top;
#endif
}

/* The same for a period of 2^s counts, s <= 15, sixteen counts at a time; n a multiple of 16. Steps
 * of rotation by two leave the first count of each pair on every other bit of one half word and the
 * second on those of the other. */
static void encode_pairs(const qcs_coded_model_t *model, uint16_t n, const int16_t counts[],
                         uint8_t packed[]) {
  const unsigned s = model->period_bits;
  const uint32_t low = ((UINT32_C(1) << s) - 1U) * UINT32_C(0x00010001);
  const uint32_t offset = (model->offset >> (32U - s)) * UINT32_C(0x00010001);
  const uint32_t top = UINT32_C(0x00010001) << (s - 1U);
  for (const int16_t *const end = counts + n; counts < end; counts += 16) {
    uint32_t bits = top_bits(counts, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 2, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 4, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 6, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 8, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 10, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 12, low, offset, top);
    bits = rotate_right(bits, 2) | top_bits(counts + 14, low, offset, top);
    bits = rotate_right(bits, (s + 17U) & 31U); /* the first count's bit to bit 0 */
    bits |= bits >> 15;
    *packed++ = (uint8_t)bits;
    *packed++ = (uint8_t)(bits >> 8);
  }
}
#endif

/* High word of phase * levels, levels < 2^16. */
static inline uint32_t scale(uint32_t phase, uint32_t levels) {
#ifdef QCS_NO_LONG_MULTIPLY
  return ((phase >> 16) * levels + (((phase & 0xFFFFU) * levels) >> 16)) >> 16;
#else
  return (uint32_t)(((uint64_t)phase * levels) >> 32);
#endif
}

/* The bits of the largest number that n symbols make. */
static uint8_t bits_for(uint16_t levels, uint8_t n) {
  uint64_t largest = 1;
  uint8_t bits = 0;
  while (n-- > 0)
    largest *= levels;
  for (largest--; largest > 0; largest >>= 1)
    bits++;
  return bits;
}

/* The base-p number of counts[n], first symbol least significant. */
static uint64_t group_number(const qcs_coded_model_t *model, uint8_t n, const int16_t counts[]) {
  const uint32_t step = model->step, offset = model->offset, levels = model->levels;
  if (model->group_bits <= 32) {
    uint32_t number = 0;
    while (n-- > 0)
      number = number * levels + scale((uint32_t)counts[n] * step + offset, levels);
    return number;
  }
  uint64_t number = 0;
  while (n-- > 0)
    number = number * levels + scale((uint32_t)counts[n] * step + offset, levels);
  return number;
}

/* Any number of levels: groups of symbols in one bit stream, least significant bit first. */
static void encode_groups(const qcs_coded_model_t *model, const int16_t counts[],
                          uint8_t packed[]) {
  uint32_t byte = 0; /* bits not yet stored */
  uint8_t held = 0;  /* how many, 0 .. 7 */
  uint16_t left = model->inputs;
  while (left > 0) {
    const uint8_t n = (uint8_t)(left < model->group_symbols ? left : model->group_symbols);
    uint8_t bits = n < model->group_symbols ? bits_for(model->levels, n) : model->group_bits;
    uint64_t number = group_number(model, n, counts);
    for (; bits >= 8; bits = (uint8_t)(bits - 8), number >>= 8) {
      byte |= (uint32_t)(uint8_t)number << held;
      *packed++ = (uint8_t)byte;
      byte >>= 8;
    }
    byte |= (uint32_t)(uint8_t)number << held;
    held = (uint8_t)(held + bits);
    if (held >= 8) {
      *packed++ = (uint8_t)byte;
      byte >>= 8;
      held = (uint8_t)(held - 8);
    }
    counts += n;
    left = (uint16_t)(left - n);
  }
  if (held > 0)
    *packed = (uint8_t)byte;
}

/* Symbols of two levels. */
static void encode_two_levels(const qcs_coded_model_t *model, const int16_t counts[],
                              uint8_t packed[]) {
#ifdef QCS_COUNT_PAIRS
  if (model->period_bits > 0 && model->period_bits <= 15) {
    const uint16_t whole = (uint16_t)(model->inputs & ~15U);
    encode_pairs(model, whole, counts, packed);
    encode_bits(model, (uint16_t)(model->inputs - whole), counts + whole, packed + whole / 8);
    return;
  }
#endif
  encode_bits(model, model->inputs, counts, packed);
}

uint16_t qcs_coded_encode_counts(const qcs_coded_model_t *model, const int16_t counts[],
                                 uint8_t packed[]) {
  if (model->levels == 2)
    encode_two_levels(model, counts, packed);
  else
    encode_groups(model, counts, packed);
  return model->packed_bytes;
}

uint16_t qcs_encode_coded(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                          uint8_t packed[], void *scratch) {
  (void)input_type;
  (void)scratch;
  return qcs_coded_encode_counts(codec->model, input, packed);
}
