/* SPDX-License-Identifier: Apache-2.0 */
/* Learned codecs with int16 activations and int8 weights, for rates at which int8 inputs lose too
 * much. Mirrors qcskit.codec.learned.int16.
 *
 * Reentrant: an encode is a pure function of model and counts and works in the caller's scratch,
 * two halves of the widest layer; tables are const, there is no static data. Every loop is bounded
 * by the model's sizes. Stack: at most 208 bytes (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_INT16_H
#define QCS_INT16_H

#include "qcs.h"
#include "qcs_front_end.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One hidden layer, int16 -> int16. Mirrors qcskit.codec.learned.int16.Int16Layer. Tables: QCS_ROM.
 */
typedef struct {
  uint16_t inputs;
  uint16_t outputs;
  int16_t low, high;         /* clamp of the pre-activation */
  const int8_t *weights;     /* outputs rows of `inputs`, |w| <= 127 */
  const int32_t *bias;       /* outputs */
  const int32_t *multiplier; /* outputs; Q31 mantissa */
  const int8_t *shift;       /* outputs; left if positive */
  const int16_t *activation; /* 256 points of tanh; 0: the clamped pre-activation is the output */
} qcs_int16_layer_t;

/* A whole encoder. Mirrors qcskit.codec.learned.int16.Int16Tables. */
typedef struct {
  uint8_t id[8];    /* model id */
  uint16_t inputs;  /* M */
  uint16_t outputs; /* K */
  uint16_t levels;  /* I, 2 .. 256 */
  uint16_t packed_bytes;
  uint16_t widest; /* largest layer input or output before the last layer */
  const qcs_front_end_t *front_end;
  uint16_t front_run;    /* inputs that share one of them: 1, or all */
  uint8_t group_symbols; /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t hidden_count;
  const qcs_int16_layer_t *hidden;
  const int8_t *weights;     /* last layer: outputs rows */
  const int32_t *thresholds; /* outputs rows of levels - 1, ascending, bias folded in */
} qcs_int16_model_t;

/* Encode counts[model->inputs] into packed[model->packed_bytes]. scratch: QCS_<NAME>_SCRATCH_BYTES,
 * any content. No overlap. Returns packed_bytes. */
uint16_t qcs_int16_encode_counts(const qcs_int16_model_t *model, const int16_t counts[],
                                 uint8_t packed[], uint32_t scratch[]);

/* The same behind a qcs_codec_t whose model is a qcs_int16_model_t; takes counts alone. */
uint16_t qcs_encode_int16(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                          uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
