/* qcskit: integer encoder of a quantized-compressed-sensing codec. Portable C11, integers only.
 *
 * An exported library holds constant tables (qcs_model_t, made by `qcskit export`) and this core.
 * The caller owns all memory; nothing is allocated. Typical use:
 *
 *     #include "qcs_model_demo.h"
 *     static int8_t scratch[QCS_DEMO_SCRATCH_BYTES];
 *     uint8_t packed[QCS_DEMO_PACKED_BYTES];
 *     qcs_encode_counts(&qcs_model_demo, adc_counts, packed, scratch);
 *     radio_send(packed, sizeof packed);
 */
#ifndef QCS_H
#define QCS_H

#include <stdint.h>

#include "qcs_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Form of the generated tables, which assert it. Mirrors qcskit.export.c_text.TEXT_VERSION. */
#define QCS_TABLES_VERSION 4

/* One hidden layer, int8 -> int8. Mirrors qcskit.codec.integer.DenseTables. */
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
} qcs_dense_t;

/* ADC counts -> int8 network input. Mirrors qcskit.codec.integer.FrontEnd. */
typedef struct {
  int32_t multiplier; /* Q31 mantissa */
  int16_t offset;     /* counts */
  int8_t shift;
  int8_t zero_point;
} qcs_front_end_t;

/* A whole encoder. Mirrors qcskit.codec.integer.EncoderTables. */
typedef struct qcs_model {
  uint8_t id[8];    /* model id */
  uint16_t inputs;  /* M */
  uint16_t outputs; /* K */
  uint16_t levels;  /* I, 2 .. 256 */
  uint16_t
      widest; /* largest layer input or output before the last layer; scratch is 2 * widest bytes */
  uint16_t packed_bytes;
  uint8_t group_symbols; /* indices per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t hidden_count;
  const qcs_dense_t *hidden;
  const int8_t *weights;     /* last layer: outputs rows */
  const int32_t *thresholds; /* outputs rows of levels - 1, ascending, bias folded in */
  qcs_front_end_t front_end;
  const uint32_t *stream; /* weights and thresholds in a fast kernel's form; unused if plain */
  void (*pack)(const struct qcs_model *model, const uint32_t words[],
               uint8_t packed[]); /* below; unused if plain */
} qcs_model_t;

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN
/* Pack indices that stand four to a word, least significant first: group_bits apart if groups hold
 * one index, else 8. Words past the last index may hold anything but bits in its byte. A model
 * names the one it needs, so that the linker leaves out the others. */
void qcs_pack_quads(const qcs_model_t *model, const uint32_t words[],
                    uint8_t packed[]); /* I = 4: a byte per word */
void qcs_pack_bits(const qcs_model_t *model, const uint32_t words[],
                   uint8_t packed[]); /* I = 2^k */
void qcs_pack_groups(const qcs_model_t *model, const uint32_t words[],
                     uint8_t packed[]); /* any I */
#endif

/* Encode one vector of int8 network inputs (model->inputs) into model->packed_bytes bytes.
 * scratch: QCS_<NAME>_SCRATCH_BYTES, any content. Buffers must not overlap. */
void qcs_encode(const qcs_model_t *model, const int8_t x[], uint8_t packed[], int8_t scratch[]);

/* The same from raw ADC counts. */
void qcs_encode_counts(const qcs_model_t *model, const int16_t counts[], uint8_t packed[],
                       int8_t scratch[]);

#ifdef __cplusplus
}
#endif
#endif
