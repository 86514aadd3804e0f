/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of coded compressive sensing: ADC counts -> p-level sawtooth -> packed bytes.
 *
 * A phase of 32 bits wraps once per period of the sawtooth: phase = count * step + offset, modulo
 * 2^32. The symbol is the high word of phase * levels: no division, no branch, any period. Mirrors
 * qcskit.codec.coded.sawtooth.Sawtooth.
 *
 * Reentrant: an encode is a pure function of model and counts; the model is const, there is no
 * static data and no scratch. Every loop is bounded by the model's sizes. Stack: at most 120 bytes
 * (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_CODED_H
#define QCS_CODED_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint8_t id[8];   /* code id: dictionary, lattice code and period; a decoder must have the same */
  uint16_t inputs; /* m, measurements per vector = symbols per vector */
  uint16_t levels; /* p, prime, 2 .. 251 */
  uint16_t packed_bytes;
  uint8_t group_symbols; /* symbols per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t period_bits;   /* s if the period is 2^s counts, else 0 */
  uint32_t step;         /* 2^32 / period in counts, rounded */
  uint32_t offset;       /* half a level, less the ADC's offset, in phase */
} qcs_coded_model_t;

/* The symbol of `phase`, 0 .. levels - 1; for static asserts too, hence a macro. */
#define QCS_CODED_SYMBOL(count, step, offset, levels)                                              \
  ((uint8_t)(((uint64_t)(uint32_t)((uint32_t)(count) * (step) + (offset)) * (levels)) >> 32))

/* Encode counts[model->inputs] into packed[model->packed_bytes]. No overlap. Returns packed_bytes.
 */
uint16_t qcs_coded_encode_counts(const qcs_coded_model_t *model, const int16_t counts[],
                                 uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_coded_model_t; takes counts alone, no scratch.
 */
uint16_t qcs_encode_coded(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                          uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
