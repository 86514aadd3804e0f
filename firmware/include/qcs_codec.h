/* One face for every codec, so that one serial agent serves them all.
 *
 * A generated pair qcs_model_<name>.h/.c provides (`<NAME>` in capitals):
 *
 * - QCS_<NAME>_INPUTS: M, values per vector
 * - QCS_<NAME>_OUTPUTS: K, indices per vector
 * - QCS_<NAME>_LEVELS: I, 2 .. 256
 * - QCS_<NAME>_PACKED_BYTES: bytes sent per vector
 * - QCS_<NAME>_SCRATCH_BYTES: what the encoder needs, at least 1
 * - qcs_model_<name>: its qcs_model_t, or qcs_wide_<name>, qcs_coded_<name>, qcs_scalar_<name>
 * - qcs_codec_<name>: the qcs_codec_t in front of it
 *
 * Tables are `static const` with the attribute QCS_ROM behind the brackets and are read through
 * qcs_rom.h; the structs are plain const.
 */
#ifndef QCS_CODEC_H
#define QCS_CODEC_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* qcs_codec_t.kind, INFO.codec */
#define QCS_KIND_DEEPQCS 1
#define QCS_KIND_CODED 2
#define QCS_KIND_SCALAR 3

/* Input type of a vector, ENCODE.input_type */
#define QCS_INPUT_INT8 1  /* int8_t network input */
#define QCS_INPUT_INT16 2 /* int16_t ADC counts */

/* qcs_codec_t.input_types, INFO.input_types: sum of these */
#define QCS_TAKES_INT8 1
#define QCS_TAKES_INT16 2

typedef struct qcs_codec qcs_codec_t;

/* Encode one vector. input: codec->inputs values of input_type (one that input_types allows),
 * aligned for it. packed: packed_bytes, written whole. scratch: scratch_bytes, any content, aligned
 * to 4 bytes. No overlap. */
typedef void qcs_encode_fn(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch);

struct qcs_codec {
  const void *model; /* what `encode` reads */
  const uint8_t *id; /* 8 bytes, model id */
  uint16_t inputs;   /* M */
  uint16_t outputs;  /* K */
  uint16_t levels;   /* I */
  uint16_t packed_bytes;
  uint16_t scratch_bytes;
  uint8_t kind;        /* QCS_KIND_... */
  uint8_t input_types; /* QCS_TAKES_... */
  qcs_encode_fn *encode;
};

/* Encode with the qcs_model_t that codec->model points to. */
void qcs_codec_encode_deepqcs(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch);

/* Initializer of the qcs_codec_t of a model with the macros QCS_<NAME>_... above: its kind, the sum
 * of the inputs it takes, the function that encodes. */
#define QCS_CODEC(model_, NAME, kind_, takes_, encode_)                                            \
  {                                                                                                \
      .model = &(model_),                                                                          \
      .id = (model_).id,                                                                           \
      .inputs = QCS_##NAME##_INPUTS,                                                               \
      .outputs = QCS_##NAME##_OUTPUTS,                                                             \
      .levels = QCS_##NAME##_LEVELS,                                                               \
      .packed_bytes = QCS_##NAME##_PACKED_BYTES,                                                   \
      .scratch_bytes = QCS_##NAME##_SCRATCH_BYTES,                                                 \
      .kind = (kind_),                                                                             \
      .input_types = (takes_),                                                                     \
      .encode = (encode_),                                                                         \
  }

/* The same of a qcs_model_t. */
#define QCS_CODEC_DEEPQCS(model_, NAME)                                                            \
  QCS_CODEC(model_, NAME, QCS_KIND_DEEPQCS, QCS_TAKES_INT8 | QCS_TAKES_INT16,                      \
            qcs_codec_encode_deepqcs)

#ifdef __cplusplus
}
#endif
#endif
