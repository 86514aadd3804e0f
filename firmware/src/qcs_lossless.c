/* SPDX-License-Identifier: Apache-2.0 */
/* Lossless packets: section 7 of docs/transform.md. */
#include "qcs_lossless.h"

#include "qcs_transform_parts.h"

#if defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#endif

#define MOST_ORDER QCS_LOSSLESS_MOST_ORDER
#define RAW 3U /* number in place of a predictor's */
#define NUMBER_BITS 2U
#define MOST_ONES 12U
#define ESCAPE_BITS 16U
#define MOST_REMEMBERED 8191U

static const int16_t differences[2][2] QCS_ROM = {{0, 4096}, {-4096, 8192}};

/* The counts of a packet, and its first ones behind copies of the very first: before it all count
 * as equal to it. */
typedef struct {
  const int16_t *counts;
  int16_t head[2 * MOST_ORDER];
} history_t;

static void open_history(history_t *history, const int16_t counts[], uint16_t inputs) {
  history->counts = counts;
  for (uint8_t i = 0; i < MOST_ORDER; i++) {
    history->head[i] = counts[0];
    history->head[MOST_ORDER + i] = counts[i < inputs ? i : 0];
  }
}

/* Where count i stands, with MOST_ORDER others before it, next to where count i - step stands: the
 * first count beyond the head is found anew. */
static inline const int16_t *next_count(const history_t *history, const int16_t *before,
                                        uint_fast16_t i, unsigned step) {
  const bool leaves_head = i >= MOST_ORDER && i < MOST_ORDER + step;
  return leaves_head ? history->counts + i : before + step;
}

static inline uint16_t folded(int32_t residual) {
  const int16_t wrapped = (int16_t)residual;
  return (uint16_t)((uint16_t)((uint16_t)wrapped << 1) ^ (uint16_t)(wrapped >> 15));
}

/* acc and two products. */
static inline int32_t add_products(int32_t acc, const int16_t *weights, const int16_t *before) {
#if defined(__ARM_FEATURE_SIMD32)
  int16x2_t two_weights, two_before;
  __builtin_memcpy(&two_weights, weights, sizeof two_weights);
  __builtin_memcpy(&two_before, before, sizeof two_before); /* on any half word */
  return __smlad(two_weights, two_before, acc);
#else
  acc += (int32_t)qcs_rom_i16(weights) * before[0];
  return acc + (int32_t)qcs_rom_i16(weights + 1) * before[1];
#endif
}

/* u of a count: order weights, even, act on the counts before it. */
static inline uint16_t magnitude(const int16_t *weights, uint8_t order, const int16_t *count) {
  int32_t acc = 2048;
  const int16_t *before = count - order;
  do {
    acc = add_products(acc, weights, before);
    weights += 2;
    before += 2;
  } while (before < count);
  return folded(*count - (acc >> 12));
}

/* The predictor with the smallest sum of u over every second count. */
static uint8_t choose(const qcs_lossless_model_t *model, const history_t *history) {
  uint32_t first = 0, second = 0, own = 0;
  const uint_fast16_t inputs = model->inputs;
  const int16_t *count = history->head + MOST_ORDER - 1;
  for (uint_fast16_t i = 1; i < inputs; i += 2U) {
    count = next_count(history, count, i, 2);
    const int32_t difference = (int32_t)count[0] - count[-1];
    first += folded(difference);
    second += folded(difference - count[-1] + count[-2]);
    own += magnitude(model->weights, model->order, count);
  }
  if (own < first && own < second)
    return 2;
  return second < first;
}

typedef struct {
  uint8_t *out;
  const uint8_t *end;
  uint32_t waiting;  /* bits not yet put are its lowest `held` */
  uint_fast8_t held; /* 0 .. 7 */
} writer_t;

/* Put the lowest `bits` bits of value, at most 24, the rest of which is 0. False: no room. */
static inline bool put(writer_t *to, uint32_t value, uint_fast8_t bits) {
  uint_fast8_t held = (uint_fast8_t)(to->held + bits);
  to->waiting = to->waiting << bits | value;
  while (held >= 8) {
    if (to->out == to->end)
      return false;
    held = (uint_fast8_t)(held - 8U);
    *to->out++ = (uint8_t)(to->waiting >> held);
  }
  to->held = held;
  return true;
}

/* Number of bits. */
static inline uint_fast8_t bit_length(uint_fast16_t value) {
#if defined(__ARM_FEATURE_CLZ)
  return value == 0 ? 0 : 32U - (unsigned)__builtin_clz(value);
#else
  uint_fast8_t bits = 0;
  for (; value > 0; value >>= 1)
    bits++;
  return bits;
#endif
}

/* Put a packet of a predictor, or raw; returns its bytes, 0 if they do not fit. */
static uint16_t put_packet(const qcs_lossless_model_t *model, const history_t *history,
                           uint8_t number, uint8_t packed[]) {
  const int16_t *const weights = number < 2 ? differences[number] : model->weights;
  const uint8_t order = number < 2 ? 2 : model->order;
  const uint16_t mask = (uint16_t)((UINT32_C(1) << model->bits) - 1U);
  writer_t to = {packed, packed + model->room, number, NUMBER_BITS};
  const uint_fast16_t inputs = model->inputs;
  uint_fast16_t memory = model->start;
  uint16_t u = folded((int32_t)history->counts[0] - model->centre);
  uint_fast8_t parameter = model->first;
  const int16_t *count = history->head + MOST_ORDER;
  for (uint_fast16_t i = 0;;) {
    const uint_fast16_t ones = (uint_fast16_t)u >> parameter;
    uint32_t code = u;
    uint_fast8_t bits = ESCAPE_BITS;
    if (number == RAW) {
      code = (uint16_t)((uint32_t)*count - (uint32_t)model->low) & mask;
      bits = model->bits;
    } else if (ones < MOST_ONES) {
      /* ones ones, a zero and the low bits, which are u less ones << parameter */
      code += (((uint32_t)2 << ones) - 2U - (uint32_t)ones) << parameter;
      bits = (uint_fast8_t)(ones + 1U + parameter);
    } else if (!put(&to, (1U << MOST_ONES) - 1U, MOST_ONES)) {
      return 0;
    }
    if (!put(&to, code, bits))
      return 0;
    if (++i == inputs)
      break;
    count = next_count(history, count, i, 1);
    u = magnitude(weights, order, count);
    parameter = bit_length((memory + 4U) >> 4);
    memory += (u < MOST_REMEMBERED ? u : MOST_REMEMBERED) - (memory >> 3);
  }
  if (to.held > 0 && !put(&to, 0, (uint_fast8_t)(8U - to.held))) /* fill the last byte with zeros */
    return 0;
  return qcs_range_trimmed(packed, (uint16_t)(to.out - packed));
}

uint16_t qcs_lossless_encode_counts(const qcs_lossless_model_t *model, const int16_t counts[],
                                    uint8_t packed[]) {
  history_t history;
  open_history(&history, counts, model->inputs);
  uint16_t length = put_packet(model, &history, choose(model, &history), packed);
  if (length == 0)
    length = put_packet(model, &history, RAW, packed);
  return model->close ? model->close(packed, length) : length;
}

uint16_t qcs_encode_lossless(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                             uint8_t packed[], void *scratch) {
  (void)input_type;
  (void)scratch;
  return qcs_lossless_encode_counts(codec->model, input, packed);
}
