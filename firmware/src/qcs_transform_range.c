/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 3 and 4 of docs/transform.md: symbols of a window, and the range coder. */
#include "qcs_transform_parts.h"

#define CONTEXTS 25U
#define SYMBOLS 16U
#define ESCAPE 15U
#define DIRECT 192U /* least magnitude behind the escape */

typedef struct {
  uint32_t low, range;
  uint8_t *out;
  const uint8_t *end;
} coder_t;

/* Add to low, take the new range and put the bytes that are settled. False: no room. A carry ends
 * at the first byte at the latest: range begins as 0xFF000000. */
static bool advance(coder_t *coder, uint32_t add, uint32_t range) {
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

/* The symbol whose lower end is *from; the next one's stands behind it, 0 for 4,096. */
static bool put_symbol(coder_t *coder, const uint16_t *from) {
  const uint16_t start = qcs_rom_u16(from);
  const uint16_t size = (uint16_t)((qcs_rom_u16(from + 1) - start) & 0xFFFU);
  const uint32_t r = coder->range >> 12;
  return advance(coder, r * start, r * size);
}

static bool put_number(coder_t *coder, unsigned value, unsigned bits) {
  const uint32_t r = coder->range >> bits;
  return advance(coder, r * value, r);
}

/* How many bits lie below the highest two of value; 0 if it has no more. */
static inline unsigned bits_below_two(unsigned value) {
#ifdef __ARM_FEATURE_CLZ
  return 30U - (unsigned)__builtin_clz(value | 2U);
#else
  unsigned bits = 0;
  for (; value > 3; value >>= 1)
    bits++;
  return bits;
#endif
}

/* Code an index with a table; *symbol becomes its symbol: with `rest` bits below the highest two of
 * a magnitude it is 2 rest + these two, which is 2 t + bit t - 1. */
static inline bool put_index(coder_t *coder, const uint16_t *table, unsigned magnitude,
                             unsigned sign, unsigned *symbol) {
  unsigned rest = bits_below_two(magnitude);
  *symbol = 2U * rest + (magnitude >> rest);
  if (*symbol > ESCAPE)
    *symbol = ESCAPE;
  if (!put_symbol(coder, table + *symbol))
    return false;
  if (magnitude == 0)
    return true;
  if (*symbol == ESCAPE) {
    if (magnitude == QCS_TRANSFORM_TOO_LARGE)
      return false;
    magnitude -= DIRECT - 1U;
    rest = bits_below_two(magnitude << 1); /* t of what is left */
    if (!put_number(coder, rest, 4))
      return false;
  }
  return put_number(coder, (magnitude & ((1U << rest) - 1U)) << 1 | sign, rest + 1U);
}

/* Code a window of sums. Not static: the profile tells steps by name. */
bool qcs_transform_range_step(coder_t *coder, const qcs_transform_model_t *model,
                              const qcs_transform_quantizer_t *quantizer, const int32_t sums[]);

bool qcs_transform_range_step(coder_t *coder, const qcs_transform_model_t *model,
                              const qcs_transform_quantizer_t *quantizer, const int32_t sums[]) {
  unsigned position;
  const int32_t *const end = sums + qcs_transform_end(model, quantizer, sums, &position);
  if (!put_symbol(coder, model->symbols + model->ends + position))
    return false;
  const uint8_t *classes = model->classes;
  unsigned previous = 0, before = 0; /* symbols */
  for (; sums < end; sums++) {
    const unsigned magnitude = qcs_transform_index(quantizer, qcs_transform_magnitude(*sums));
    unsigned context = 2U * previous + before;
    if (context >= CONTEXTS)
      context = CONTEXTS - 1U;
    const unsigned table = qcs_rom_u8(&model->contexts[qcs_rom_u8(classes++) * CONTEXTS + context]);
    before = previous;
    if (!put_index(coder, model->symbols + table * SYMBOLS, magnitude, *sums < 0, &previous))
      return false;
  }
  return true;
}

/* The fewest bytes that decode with zeros behind them: none if a carry leaves nothing but zeros,
 * else one, as range is at least 2^24. Before the first byte nothing carries. */
static bool put_end(coder_t *coder) {
  uint32_t left = 0U - coder->low, range = UINT32_C(1) << 24;
  if (left - 1U >= coder->range - 1U) { /* no carry; left may be 0 */
    left &= UINT32_C(0xFFFFFF);
    range >>= 8;
  }
  return advance(coder, left, range);
}

uint16_t qcs_transform_range(const qcs_transform_job_t *job, uint8_t quality, uint8_t packed[]) {
  const qcs_transform_model_t *const model = job->model;
  const qcs_transform_quantizer_t quantizer = qcs_transform_quantizer(model, quality);
  coder_t coder = {0, UINT32_C(0xFF000000), packed, packed + model->room};
  if (model->qualities > 1 && !put_number(&coder, quality, QCS_TRANSFORM_QUALITY_BITS))
    return 0;
  for (unsigned window = 0; window < model->windows; window++) {
    if (!qcs_transform_range_step(&coder, model, &quantizer, qcs_transform_sums(job, window)))
      return 0;
  }
  if (!put_end(&coder))
    return 0;
  return qcs_transform_trimmed(packed, (uint16_t)(coder.out - packed));
}
