/* SPDX-License-Identifier: Apache-2.0 */
/* ADC counts -> the network's input grid: what the learned codecs have in front of their first
 * layer. A model has one front end for all inputs, or one for each. Mirrors
 * qcskit.codec.learned.chain.FrontEnd. */
#ifndef QCS_FRONT_END_H
#define QCS_FRONT_END_H

#include <stdint.h>

/* input = clamp(round((count - offset) * 2^shift * multiplier / 2^31) + zero_point) */
typedef struct {
  int32_t multiplier; /* Q31 mantissa */
  int16_t offset;     /* counts */
  int8_t shift;
  int8_t zero_point;
} qcs_front_end_t;

#endif
