/* Toy codec: first differences of ADC counts, Rice-coded, with a raw escape. Mirrors
 * support.toy.bundle. */
#ifndef QCS_TOY_H
#define QCS_TOY_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint8_t id[8];
  uint16_t inputs; /* counts per packet, 1 .. 16383 */
  int16_t offset;  /* count that the first difference starts from */
} qcs_toy_model_t;

/* Encode counts[model->inputs] into packed[1 + 2 * model->inputs]. No overlap. Returns the bytes
 * written. */
uint16_t qcs_toy_encode_counts(const qcs_toy_model_t *model, const int16_t counts[],
                               uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_toy_model_t; takes counts alone, no scratch.
 */
uint16_t qcs_encode_toy(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                        uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
