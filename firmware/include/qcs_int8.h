/* SPDX-License-Identifier: Apache-2.0 */
/* Learned codecs with int8 activations: layers of int8 weights, the quantizer folded into
 * thresholds on the last accumulators. Tables are made by `qcskit export`; which form the compiler
 * takes stands in qcs_layout.h. Mirrors qcskit.codec.learned.int8.
 *
 * Reentrant: an encode is a pure function of model and input and works in the caller's scratch,
 * two halves of the widest layer; tables are const, there is no static data. Every loop is bounded
 * by the model's sizes. Stack: at most 224 bytes (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_INT8_H
#define QCS_INT8_H

#include "qcs.h"
#include "qcs_front_end.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One hidden layer, int8 -> int8. Mirrors qcskit.codec.learned.int8.Int8Layer. */
typedef struct {
  uint16_t inputs;
  uint16_t outputs;
  const int8_t *weights;     /* outputs rows of `inputs`, |w| <= 127 */
  const int32_t *bias;       /* outputs; input zero point folded in */
  const int32_t *multiplier; /* outputs; Q31 mantissa */
  const int8_t *shift;       /* outputs; left if positive */
  const int8_t *activation;  /* 256; entry q + 128 is the output for pre-activation q */
  int8_t zero_point;         /* of the pre-activation grid */
  const uint32_t *stream;    /* all but `activation` in a fast kernel's form; unused if plain */
} qcs_int8_layer_t;

/* A whole encoder. Mirrors qcskit.codec.learned.int8.Int8Tables. */
typedef struct qcs_int8_model {
  uint8_t id[8];    /* model id */
  uint16_t inputs;  /* M */
  uint16_t outputs; /* K */
  uint16_t levels;  /* I, 2 .. 256 */
  uint16_t widest;  /* largest layer input or output before the last layer; half of the scratch */
  uint16_t packed_bytes;
  uint8_t group_symbols; /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t hidden_count;
  const qcs_int8_layer_t *hidden;
  const int8_t *weights;     /* last layer: outputs rows */
  const int32_t *thresholds; /* outputs rows of levels - 1, ascending, bias folded in */
  const qcs_front_end_t *front_end;
  uint16_t front_run;     /* inputs that share one of them: 1, or all */
  const uint32_t *stream; /* weights and thresholds in a fast kernel's form; unused if plain */
  void (*pack)(const struct qcs_int8_model *model, const uint32_t words[],
               uint8_t packed[]); /* below; unused if plain */
} qcs_int8_model_t;

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN
/* Pack indices that stand four to a word, least significant first: group_bits apart if groups hold
 * one index, else 8. Words past the last index may hold anything but bits in its byte. A model
 * names the one it needs, so that the linker leaves out the others. */
void qcs_int8_pack_quads(const qcs_int8_model_t *model, const uint32_t words[],
                         uint8_t packed[]); /* I = 4: a byte per word */
void qcs_int8_pack_bits(const qcs_int8_model_t *model, const uint32_t words[],
                        uint8_t packed[]); /* I = 2^k */
void qcs_int8_pack_groups(const qcs_int8_model_t *model, const uint32_t words[],
                          uint8_t packed[]); /* any I */
#endif

/* Encode int8 network inputs x[model->inputs] into packed[model->packed_bytes]. scratch:
 * QCS_<NAME>_SCRATCH_BYTES, any content. No overlap. Returns packed_bytes. */
uint16_t qcs_int8_encode_inputs(const qcs_int8_model_t *model, const int8_t x[], uint8_t packed[],
                                uint32_t scratch[]);

/* The same from ADC counts. */
uint16_t qcs_int8_encode_counts(const qcs_int8_model_t *model, const int16_t counts[],
                                uint8_t packed[], uint32_t scratch[]);

/* The same behind a qcs_codec_t whose model is a qcs_int8_model_t. */
uint16_t qcs_encode_int8(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                         uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
