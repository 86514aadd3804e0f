/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the int8 encoder, one signature each. The plain C files beside this header define
 * what they compute; a kernel for an instruction set sits in its own file with the same signature,
 * behind the compiler's feature macro. A function whose name ends in _step starts a part of the
 * encode that the profile shows by itself.
 *
 * Preconditions, proved by the exporter: weights |w| <= 127; every partial sum of a row, plus its
 * bias, fits int32; (acc << shift) fits int32 for shift > 0; multipliers in [2^30, 2^31), shifts
 * -31 .. 30; thresholds ascend. */
#ifndef QCS_INT8_KERNELS_H
#define QCS_INT8_KERNELS_H

#include "qcs_arith.h"
#include "qcs_int8.h"
#include "qcs_pack.h"

#if QCS_AVR_KERNEL
/* Sum of weights[i] * x[i], i = 0 .. n - 1, n > 0; weights in flash. */
int32_t qcs_int8_dot(const int8_t *weights, const int8_t *x, uint16_t n);
#endif

/* clamp(value + zero_point) to int8, for any value. */
static inline int8_t qcs_int8_to_grid(int32_t value, int8_t zero_point) {
  if (value > 127 - zero_point)
    return 127;
  if (value < -128 - zero_point)
    return -128;
  return (int8_t)(value + zero_point);
}

/* ADC counts[n] -> int8 network input x[n]; `run` of them, 1 or n, share a front end. Mirrors
 * qcskit.codec.learned.chain.DenseChain.network_input. */
void qcs_int8_input_step(const qcs_front_end_t *front_end, uint16_t run, uint16_t n,
                         const int16_t counts[], int8_t x[]);

/* An activation as the kernels hold it between layers. Fast kernels want it wider, in an order of
 * their own and padded; their tables fit. */
#if QCS_LAYOUT == QCS_LAYOUT_DSP
typedef int16_t qcs_int8_act_t; /* doubled */
#elif QCS_LAYOUT == QCS_LAYOUT_PAIR
typedef int32_t qcs_int8_act_t;
#else
typedef int8_t qcs_int8_act_t;
#endif

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN
/* int8 network input x[n] -> what the first layer reads. x may lie anywhere, wide is aligned to 4
 * bytes. No overlap. */
void qcs_int8_widen(uint16_t n, const int8_t x[], qcs_int8_act_t wide[]);
#endif

/* Hidden layer: x[layer->inputs] -> y[layer->outputs]. No overlap. Mirrors
 * qcskit.codec.learned.int8.hidden_output. */
void qcs_int8_dense_step(const qcs_int8_layer_t *layer, const qcs_int8_act_t x[],
                         qcs_int8_act_t y[]);

/* Last layer, quantizer and packing: x[inputs] -> packed[model->packed_bytes]. No overlap.
 * inputs: width of x. spare: model->widest entries that a kernel may use. Mirrors
 * qcskit.codec.learned.int8.encode_index behind the last hidden layer. */
void qcs_int8_last_step(const qcs_int8_model_t *model, uint16_t inputs, const qcs_int8_act_t x[],
                        uint8_t packed[], qcs_int8_act_t spare[]);

#endif
