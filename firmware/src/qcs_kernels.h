/* The steps of an encoder, one signature each. The plain C files beside this header define what
 * they compute; a kernel for an instruction set sits in its own file with the same signature,
 * behind the compiler's feature macro.
 *
 * Preconditions, proved by the exporter: weights |w| <= 127; every partial sum of a row, plus its
 * bias, fits int32; (acc << shift) fits int32 for shift > 0; multipliers in [2^30, 2^31), shifts
 * -31 .. 30; thresholds ascend. */
#ifndef QCS_KERNELS_H
#define QCS_KERNELS_H

#include "qcs.h"
#include "qcs_rom.h"

/* cppcheck-suppress shiftNegativeLHS ; that is the question */
_Static_assert((-3 >> 1) == -2, "requantization needs an arithmetic right shift");
_Static_assert(QCS_TABLES_VERSION == 4, "these kernels read version 4 of the tables");

#if defined(__AVR__) && !defined(QCS_PLAIN)
#define QCS_AVR_KERNEL 1 /* qcs_dense_avr.c, on the tables of QCS_LAYOUT_PLAIN */
#else
#define QCS_AVR_KERNEL 0
#endif

/* TFLM's MultiplyByQuantizedMultiplier, double rounding: round(acc * 2^shift * multiplier / 2^31).
 * Mirrors qcskit.codec.integer.requantize. */
#if QCS_AVR_KERNEL
int32_t qcs_requantize(int32_t acc, int32_t multiplier, int8_t shift);

/* Sum of weights[i] * x[i], i = 0 .. n - 1, n > 0; weights in flash. */
int32_t qcs_dot(const int8_t *weights, const int8_t *x, uint16_t n);
#else
static inline int32_t qcs_requantize(int32_t acc, int32_t multiplier, int8_t shift) {
  const unsigned left = shift > 0 ? (unsigned)shift : 0U;
  const unsigned right = shift < 0 ? (unsigned)-shift : 0U;
  const int32_t shifted = (int32_t)((uint32_t)acc << left);
  const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 30)) >> 31);
  /* Divide by 2^right, half away from zero (gemmlowp's RoundingDivideByPOT). */
  const uint32_t mask = ((uint32_t)1 << right) - 1U;
  const uint32_t half = (mask >> 1) + (high < 0 ? 1U : 0U);
  return (high >> right) + (((uint32_t)high & mask) > half ? 1 : 0);
}
#endif

/* clamp(value + zero_point) to int8, for any value. */
static inline int8_t qcs_to_grid(int32_t value, int8_t zero_point) {
  if (value > 127 - zero_point)
    return 127;
  if (value < -128 - zero_point)
    return -128;
  return (int8_t)(value + zero_point);
}

/* How many of the ascending thresholds[n] are <= acc, by bisection. */
static inline uint8_t qcs_count_reached(const int32_t *thresholds, unsigned n, int32_t acc) {
  const int32_t *first = thresholds; /* of n that may be above acc */
  while (n > 0) {
    const unsigned half = n >> 1;
    if (acc >= qcs_rom_i32(first + half)) {
      first += half + 1U;
      n -= half + 1U;
    } else {
      n = half;
    }
  }
  return (uint8_t)(first - thresholds);
}

/* ADC counts[n] -> int8 network input x[n]. Mirrors qcskit.codec.integer.quantize_counts. */
void qcs_quantize(const qcs_front_end_t *front_end, uint16_t n, const int16_t counts[], int8_t x[]);

/* An activation as the kernels hold it between layers. Fast kernels want it wider, in an order of
 * their own and padded; their tables fit. */
#if QCS_LAYOUT == QCS_LAYOUT_CHAIN
typedef int16_t qcs_act_t; /* doubled */
#elif QCS_LAYOUT == QCS_LAYOUT_PAIR
typedef int32_t qcs_act_t;
#else
typedef int8_t qcs_act_t;
#endif

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN
/* int8 network input x[n] -> what the first layer reads. x may lie anywhere, wide is aligned to 4
 * bytes. No overlap. */
void qcs_widen(uint16_t n, const int8_t x[], qcs_act_t wide[]);
#endif

/* Hidden layer: x[layer->inputs] -> y[layer->outputs]. No overlap. Mirrors
 * qcskit.codec.integer.hidden_output. */
void qcs_dense(const qcs_dense_t *layer, const qcs_act_t x[], qcs_act_t y[]);

/* Last layer, quantizer and packing: x[inputs] -> packed[model->packed_bytes]. No overlap.
 * inputs: width of x. spare: model->widest entries that a kernel may use. Mirrors
 * qcskit.codec.integer.encode_packed behind the last hidden layer. */
void qcs_dense_pack(const qcs_model_t *model, uint16_t inputs, const qcs_act_t x[],
                    uint8_t packed[], qcs_act_t spare[]);

/* Packs indices one by one, see qcskit.codec.packing. Little state, so that no index array is
 * needed. */
typedef struct {
  uint8_t *out;      /* next byte */
  uint64_t number;   /* indices of the open group, base I */
  uint64_t weight;   /* I ^ (indices in the open group) */
  uint16_t levels;   /* I */
  uint8_t symbols;   /* indices per full group */
  uint8_t bits;      /* bits per full group */
  uint8_t held;      /* indices in the open group */
  uint8_t byte;      /* bits not yet in out */
  uint8_t byte_bits; /* how many, 0 .. 7 */
} qcs_packer_t;

/* Start packing into packed[]: indices 0 .. levels - 1, `symbols` of them per group of `bits`. */
void qcs_pack_open(qcs_packer_t *packer, uint16_t levels, uint8_t symbols, uint8_t bits,
                   uint8_t packed[]);

/* The same for a model's indices. */
void qcs_pack_begin(qcs_packer_t *packer, const qcs_model_t *model, uint8_t packed[]);

/* Append an index, 0 .. levels - 1. */
void qcs_pack_put(qcs_packer_t *packer, uint8_t index);

/* Close the last group; unused bits of the last byte are 0. */
void qcs_pack_end(qcs_packer_t *packer);

#endif
