/* The whole encoder: layers alternate between two halves of the scratch memory. */
#include "qcs_codec.h"
#include "qcs_kernels.h"

/* Encode x; hidden layer 0, 2, ... writes to `even`, 1, 3, ... to `odd`. x is not in `even`. */
static void encode(const qcs_model_t *model, const int8_t *x, uint8_t *packed, int8_t *even,
                   int8_t *odd) {
  uint16_t width = model->inputs;
  for (uint8_t i = 0; i < model->hidden_count; i++) {
    int8_t *const y = (i & 1U) ? odd : even;
    qcs_dense(&model->hidden[i], x, y);
    width = model->hidden[i].outputs;
    x = y;
  }
  qcs_dense_pack(model, width, x, packed);
}

void qcs_encode(const qcs_model_t *model, const int8_t x[], uint8_t packed[], int8_t scratch[]) {
  encode(model, x, packed, scratch, scratch + model->widest);
}

void qcs_encode_counts(const qcs_model_t *model, const int16_t counts[], uint8_t packed[],
                       int8_t scratch[]) {
  qcs_quantize(&model->front_end, model->inputs, counts, scratch);
  encode(model, scratch, packed, scratch + model->widest, scratch);
}

void qcs_codec_encode_deepqcs(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch) {
  if (input_type == QCS_INPUT_INT8)
    qcs_encode(codec->model, input, packed, scratch);
  else
    qcs_encode_counts(codec->model, input, packed, scratch);
}
