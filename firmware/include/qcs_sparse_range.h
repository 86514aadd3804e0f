/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of the sparse codec, code range: the search of qcs_sparse.h, whose vectors a static
 * range coder puts into packets of any length. Mirrors qcskit.codec.sparse.range_code. */
#ifndef QCS_SPARSE_RANGE_H
#define QCS_SPARSE_RANGE_H

#include "qcs_sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  union {
    qcs_sparse_model_t sparse; /* without words; packed_bytes: of the longest packet there is */
    uint8_t id[8];             /* its first member */
  };
  qcs_sparse_guard_fn *guard;         /* with its limits, or NULL */
  uint16_t multiplier;                /* of a magnitude, before the shift to its index */
  uint16_t least;                     /* magnitude whose index is not 0 */
  uint16_t flag;                      /* of 4,096: how likely the guard speaks */
  uint8_t place_size, place_bits;     /* of a place, of 2^place_bits parts of the range */
  uint8_t support_size, support_bits; /* of a pair of places */
  uint8_t index_shift;
  uint8_t coarse_shift;    /* so much more where the guard speaks */
  const uint16_t *symbols; /* QCS_ROM: 16 per coefficient, lower ends; again for the guard; 0 */
} qcs_sparse_range_model_t;

/* Encode counts[windows * inputs] into packed[packed_bytes]. scratch: stride + entries + 2 int16_t.
 * No overlap. Returns the bytes written. */
uint16_t qcs_sparse_range_encode_counts(const qcs_sparse_range_model_t *model,
                                        const int16_t counts[], uint8_t packed[], void *scratch);

/* The same behind a qcs_codec_t whose model is a qcs_sparse_range_model_t; takes counts alone. */
uint16_t qcs_encode_sparse_range(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                                 uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
