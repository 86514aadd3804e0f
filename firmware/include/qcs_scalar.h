/* qcskit: device side of classical codecs that quantize each measurement by itself. ADC counts ->
 * cells -> packed bytes. Portable C11.
 *
 *     #include "qcs_model_demo.h"
 *     uint8_t packed[QCS_DEMO_PACKED_BYTES];
 *     qcs_scalar_encode(&qcs_scalar_demo, adc_counts, packed);
 *
 * An index is the number of its measurement's thresholds that are <= count. Mirrors
 * qcskit.codec.classical.bundle.CountCells. */
#ifndef QCS_SCALAR_H
#define QCS_SCALAR_H

#include "qcs.h"
#include "qcs_codec.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Meaning of the struct; generated files assert it. Mirrors
 * qcskit.codec.classical.bundle.TABLES_VERSION. */
#define QCS_SCALAR_VERSION 1

typedef struct {
  uint8_t id[8];   /* codec id: thresholds and decoder; a decoder must have the same */
  uint16_t inputs; /* M, measurements per vector = indices per vector */
  uint16_t levels; /* I, 2 .. 256 */
  uint16_t packed_bytes;
  uint8_t group_symbols;     /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;        /* bits per full group */
  const int16_t *thresholds; /* inputs rows of levels - 1, ascending, in counts; QCS_ROM */
} qcs_scalar_t;

/* Encode counts[inputs] into packed[packed_bytes], written whole. No overlap. */
void qcs_scalar_encode(const qcs_scalar_t *model, const int16_t counts[], uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_scalar_t; takes QCS_INPUT_INT16, no scratch.
 */
void qcs_codec_encode_scalar(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                             uint8_t packed[], void *scratch);

/* Initializer of the qcs_codec_t of a qcs_scalar_t. */
#define QCS_CODEC_SCALAR(model_, NAME)                                                             \
  QCS_CODEC(model_, NAME, QCS_KIND_SCALAR, QCS_TAKES_INT16, qcs_codec_encode_scalar)

#ifdef __cplusplus
}
#endif
#endif
