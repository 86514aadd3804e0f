/* SPDX-License-Identifier: Apache-2.0 */
/* The whole int8 encoder: layers alternate between two halves of the scratch memory. */
#include "qcs_int8_kernels.h"

/* Run all layers on x: hidden layers write to `even` and `odd` in turn. x is not in `even`; it may
 * be in `odd`. */
static uint16_t run_layers(const qcs_int8_model_t *model, const qcs_int8_act_t *x, uint8_t *packed,
                           qcs_int8_act_t *even, qcs_int8_act_t *odd) {
  const qcs_int8_layer_t *layer = model->hidden;
  uint16_t width = model->inputs;
  for (unsigned left = model->hidden_count; left > 0; left--, layer++) {
    qcs_int8_act_t *const y = even;
    qcs_int8_dense_step(layer, x, y);
    width = layer->outputs;
    even = odd; /* the halves change roles */
    odd = y;
    x = y;
  }
  qcs_int8_last_step(model, width, x, packed, even);
  return model->packed_bytes;
}

uint16_t qcs_int8_encode_inputs(const qcs_int8_model_t *model, const int8_t x[], uint8_t packed[],
                                uint32_t scratch[]) {
  qcs_int8_act_t *const odd = (qcs_int8_act_t *)(void *)scratch;
#if QCS_LAYOUT == QCS_LAYOUT_PLAIN
  return run_layers(model, x, packed, odd, odd + model->widest);
#else
  qcs_int8_widen(model->inputs, x, odd);
  return run_layers(model, odd, packed, odd + model->widest, odd);
#endif
}

uint16_t qcs_int8_encode_counts(const qcs_int8_model_t *model, const int16_t counts[],
                                uint8_t packed[], uint32_t scratch[]) {
  qcs_int8_act_t *const odd = (qcs_int8_act_t *)(void *)scratch;
  qcs_int8_act_t *const even = odd + model->widest;
#if QCS_LAYOUT == QCS_LAYOUT_PLAIN
  qcs_int8_input_step(model->front_end, model->front_run, model->inputs, counts, odd);
#else
  qcs_int8_input_step(model->front_end, model->front_run, model->inputs, counts, (int8_t *)even);
  qcs_int8_widen(model->inputs, (const int8_t *)even, odd);
#endif
  return run_layers(model, odd, packed, even, odd);
}

uint16_t qcs_encode_int8(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                         uint8_t packed[], void *scratch) {
  if (input_type == QCS_INPUT_INT8)
    return qcs_int8_encode_inputs(codec->model, input, packed, scratch);
  return qcs_int8_encode_counts(codec->model, input, packed, scratch);
}
