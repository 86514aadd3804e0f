/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of classical codecs, which quantize each measurement by itself: ADC counts -> cells
 * -> packed bytes. An index is the number of its measurement's thresholds that are <= count: tables
 * state the first count of the next cell. Mirrors qcskit.codec.classical.bundle.CountCells.
 *
 * Reentrant: an encode is a pure function of model and counts; tables are const, there is no static
 * data and no scratch. Every loop is bounded by the model's sizes. Stack: at most 136 bytes
 * (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_CLASSICAL_H
#define QCS_CLASSICAL_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint8_t id[8];   /* codec id: thresholds and decoder; a decoder must have the same */
  uint16_t inputs; /* M, measurements per vector = indices per vector */
  uint16_t levels; /* I, 2 .. 256 */
  uint16_t packed_bytes;
  uint8_t group_symbols;     /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;        /* bits per full group */
  const int16_t *thresholds; /* inputs rows of levels - 1, ascending, in counts; QCS_ROM */
} qcs_classical_model_t;

/* Encode counts[model->inputs] into packed[model->packed_bytes]. No overlap. Returns packed_bytes.
 */
uint16_t qcs_classical_encode_counts(const qcs_classical_model_t *model, const int16_t counts[],
                                     uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_classical_model_t; takes counts alone, no
 * scratch. */
uint16_t qcs_encode_classical(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
