/* SPDX-License-Identifier: Apache-2.0 */
/* The static range coder, section 4 of docs/transform.md, and symbols of indices (section 3).
 * Mirrors qcskit.codec.range_coder.Writer. */
#ifndef QCS_RANGE_H
#define QCS_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "qcs_rom.h"

#define QCS_RANGE_TOTAL 4096U /* sum of the frequencies of a table */
#define QCS_RANGE_SYMBOLS 16U /* of an index */
#define QCS_RANGE_ESCAPE 15U
#define QCS_RANGE_DIRECT 192U /* least magnitude behind the escape */
#define QCS_RANGE_MOST_INDEX 32767U

typedef struct {
  uint32_t low, range;
  uint8_t *out;
  const uint8_t *end;
} qcs_range_t;

/* Begin a packet of at most `room` bytes. */
static inline qcs_range_t qcs_range_begin(uint8_t packed[], uint16_t room) {
  const qcs_range_t coder = {0, UINT32_C(0xFF000000), packed, packed + room};
  return coder;
}

/* Add to low, take the new range and put the bytes that are settled. False: no room. A carry ends
 * at the first byte at the latest: range begins as 0xFF000000. */
bool qcs_range_advance(qcs_range_t *coder, uint32_t add, uint32_t range);

/* Put a symbol with [start, start + size) of 4,096. */
static inline bool qcs_range_put_part(qcs_range_t *coder, uint16_t start, uint16_t size) {
  const uint32_t r = coder->range >> 12;
  return qcs_range_advance(coder, r * start, r * size);
}

/* Put the symbol whose lower end is *from; the next one's stands behind it, 0 for 4,096. */
bool qcs_range_put_symbol(qcs_range_t *coder, const uint16_t *from);

/* Put a number of so many bits. */
bool qcs_range_put_number(qcs_range_t *coder, unsigned value, unsigned bits);

/* Put one of numbers that are equally likely: each has `size` of 2^bits parts. */
static inline bool qcs_range_put_equal(qcs_range_t *coder, uint32_t value, uint8_t size,
                                       uint8_t bits) {
  const uint32_t r = (coder->range >> bits) * size;
  return qcs_range_advance(coder, r * value, r);
}

/* How many bits lie below the highest two of value; 0 if it has no more. */
static inline unsigned qcs_range_bits_below_two(unsigned value) {
#ifdef __ARM_FEATURE_CLZ
  return 30U - (unsigned)__builtin_clz(value | 2U);
#else
  unsigned bits = 0;
  for (; value > 3; value >>= 1)
    bits++;
  return bits;
#endif
}

/* Put an index with a table; *symbol becomes its symbol: with `rest` bits below the highest two of
 * a magnitude it is 2 rest + these two, which is 2 t + bit t - 1. */
static inline bool qcs_range_put_index(qcs_range_t *coder, const uint16_t *table,
                                       unsigned magnitude, unsigned sign, unsigned *symbol) {
  unsigned rest = qcs_range_bits_below_two(magnitude);
  *symbol = 2U * rest + (magnitude >> rest);
  if (*symbol > QCS_RANGE_ESCAPE)
    *symbol = QCS_RANGE_ESCAPE;
  if (!qcs_range_put_symbol(coder, table + *symbol))
    return false;
  if (magnitude == 0)
    return true;
  if (*symbol == QCS_RANGE_ESCAPE) {
    if (magnitude > QCS_RANGE_MOST_INDEX)
      return false;
    magnitude -= QCS_RANGE_DIRECT - 1U;
    rest = qcs_range_bits_below_two(magnitude << 1); /* t of what is left */
    if (!qcs_range_put_number(coder, rest, 4))
      return false;
  }
  return qcs_range_put_number(coder, (magnitude & ((1U << rest) - 1U)) << 1 | sign, rest + 1U);
}

/* The fewest bytes that decode with zeros behind them: none if a carry leaves nothing but zeros,
 * else one, as range is at least 2^24. Before the first byte nothing carries. */
bool qcs_range_put_end(qcs_range_t *coder);

/* Bytes of packed[length] without the zeros at its end; one always stays. */
static inline uint16_t qcs_range_trimmed(const uint8_t packed[], uint16_t length) {
  while (length > 1 && packed[length - 1U] == 0)
    length--;
  return length;
}

#endif
