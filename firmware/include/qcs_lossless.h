/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of lossless codecs: ADC counts -> best of three predictors -> Rice codes whose
 * parameter follows the residuals before -> one packet. Section 7 of docs/transform.md is the
 * specification; mirrors qcskit.codec.transform.lossless.encode.
 *
 * Reentrant: an encode is a pure function of model and counts; tables are const, there is no static
 * data and no scratch. Every loop is bounded by the model's sizes. Stack: at most 200 bytes
 * (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_LOSSLESS_H
#define QCS_LOSSLESS_H

#include "qcs_transform.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QCS_LOSSLESS_MOST_ORDER 8

typedef struct {
  uint8_t id[8];          /* codec id: all that device and decoder agree on */
  uint16_t inputs;        /* T, counts of a packet */
  uint16_t room;          /* bytes of a packet without its CRC */
  uint16_t start;         /* 8 times the magnitude expected at the beginning, 0 .. 65528 */
  int16_t centre;         /* what the first count is compared with */
  int16_t low;            /* the ADC's lowest count */
  uint8_t bits;           /* the ADC's */
  uint8_t first;          /* Rice parameter of the first count, 0 .. 12 */
  uint8_t order;          /* weights, even, 2 .. QCS_LOSSLESS_MOST_ORDER */
  const int16_t *weights; /* of the oldest count first; sum of |weight| below 65536; QCS_ROM */
  qcs_transform_close_fn *close; /* 0: no CRC */
} qcs_lossless_model_t;

/* Encode counts[model->inputs] into packed[packed_bytes_max of the codec]. No overlap. Returns the
 * bytes written. */
uint16_t qcs_lossless_encode_counts(const qcs_lossless_model_t *model, const int16_t counts[],
                                    uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_lossless_model_t; takes counts alone, no
 * scratch. */
uint16_t qcs_encode_lossless(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                             uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
