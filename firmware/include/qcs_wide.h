/* qcskit: the wide encoder, 16-bit activations and int8 weights, for rates at which int8 inputs
 * lose too much. ADC counts in, packed bytes out. Portable C11, integers only.
 *
 *     #include "qcs_model_demo.h"
 *     static int16_t scratch[QCS_DEMO_SCRATCH_BYTES / 2];
 *     uint8_t packed[QCS_DEMO_PACKED_BYTES];
 *     qcs_wide_encode(&qcs_wide_demo, adc_counts, packed, scratch);
 *
 * The network input is the count less the ADC's offset, shifted to 16 bits: there is no other front
 * end. Mirrors qcskit.codec.wide. */
#ifndef QCS_WIDE_H
#define QCS_WIDE_H

#include "qcs.h"
#include "qcs_codec.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Meaning of the structs; generated files assert it. Mirrors qcskit.codec.wide.TABLES_VERSION. */
#define QCS_WIDE_VERSION 1

/* One hidden layer, int16 -> int16. Mirrors qcskit.codec.wide.WideDense. Tables: QCS_ROM. */
typedef struct {
  uint16_t inputs;
  uint16_t outputs;
  int16_t low, high;         /* clamp of the pre-activation */
  const int8_t *weights;     /* outputs rows of `inputs`, |w| <= 127 */
  const int32_t *bias;       /* outputs */
  const int32_t *multiplier; /* outputs; Q31 mantissa */
  const int8_t *shift;       /* outputs; left if positive */
  const int16_t *activation; /* 256 points of tanh; 0: the clamped pre-activation is the output */
} qcs_wide_dense_t;

/* A whole encoder. Mirrors qcskit.codec.wide.WideTables. */
typedef struct {
  uint8_t id[8];         /* model id */
  uint16_t inputs;       /* M */
  uint16_t outputs;      /* K */
  uint16_t levels;       /* I, 2 .. 256 */
  uint16_t widest;       /* largest layer input or output before the last layer */
  int16_t offset;        /* ADC count at y = 0 */
  uint8_t input_shift;   /* network input: (count - offset) << input_shift, saturated */
  uint8_t group_symbols; /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t hidden_count;
  const qcs_wide_dense_t *hidden;
  const int8_t *weights;     /* last layer: outputs rows */
  const int32_t *thresholds; /* outputs rows of levels - 1, ascending, bias folded in */
} qcs_wide_t;

/* Encode counts[inputs] into packed[packed_bytes], written whole. scratch:
 * QCS_<NAME>_SCRATCH_BYTES, any content. No overlap. */
void qcs_wide_encode(const qcs_wide_t *model, const int16_t counts[], uint8_t packed[],
                     int16_t scratch[]);

/* The same behind a qcs_codec_t whose model is a qcs_wide_t; takes QCS_INPUT_INT16; scratch aligned
 * for int16_t. */
void qcs_codec_encode_wide(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch);

/* Initializer of the qcs_codec_t of a qcs_wide_t. */
#define QCS_CODEC_WIDE(model_, NAME)                                                               \
  QCS_CODEC(model_, NAME, QCS_KIND_DEEPQCS, QCS_TAKES_INT16, qcs_codec_encode_wide)

#ifdef __cplusplus
}
#endif
#endif
