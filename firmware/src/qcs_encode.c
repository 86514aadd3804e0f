/* The whole encoder: layers alternate between two halves of the scratch memory. */
#include "qcs_codec.h"
#include "qcs_kernels.h"

/* Run all layers on x: hidden layers write to `even` and `odd` in turn. x is not in `even`; it may
 * be in `odd`. */
static void run_layers(const qcs_model_t *model, const qcs_act_t *x, uint8_t *packed,
                       qcs_act_t *even, qcs_act_t *odd) {
  const qcs_dense_t *layer = model->hidden;
  uint16_t width = model->inputs;
  for (unsigned left = model->hidden_count; left > 0; left--, layer++) {
    qcs_act_t *const y = even;
    qcs_dense(layer, x, y);
    width = layer->outputs;
    even = odd; /* the halves change roles */
    odd = y;
    x = y;
  }
  qcs_dense_pack(model, width, x, packed, even);
}

#if QCS_LAYOUT == QCS_LAYOUT_PLAIN

void qcs_encode(const qcs_model_t *model, const int8_t x[], uint8_t packed[], int8_t scratch[]) {
  run_layers(model, x, packed, scratch, scratch + model->widest);
}

void qcs_encode_counts(const qcs_model_t *model, const int16_t counts[], uint8_t packed[],
                       int8_t scratch[]) {
  qcs_quantize(&model->front_end, model->inputs, counts, scratch);
  run_layers(model, scratch, packed, scratch + model->widest, scratch);
}

#else

/* First half of the scratch memory: aligned, which costs up to SCRATCH_ALIGN - 1 bytes. */
#define SCRATCH_ALIGN 4U
static qcs_act_t *first_half(int8_t scratch[]) {
  const uintptr_t address =
      ((uintptr_t)scratch + SCRATCH_ALIGN - 1U) & ~(uintptr_t)(SCRATCH_ALIGN - 1U);
  return (qcs_act_t *)address;
}

void qcs_encode(const qcs_model_t *model, const int8_t x[], uint8_t packed[], int8_t scratch[]) {
  qcs_act_t *const odd = first_half(scratch);
  qcs_widen(model->inputs, x, odd);
  run_layers(model, odd, packed, odd + model->widest, odd);
}

void qcs_encode_counts(const qcs_model_t *model, const int16_t counts[], uint8_t packed[],
                       int8_t scratch[]) {
  qcs_act_t *const odd = first_half(scratch);
  qcs_act_t *const even = odd + model->widest;
  qcs_quantize(&model->front_end, model->inputs, counts, (int8_t *)even);
  qcs_widen(model->inputs, (const int8_t *)even, odd);
  run_layers(model, odd, packed, even, odd);
}

#endif

void qcs_codec_encode_deepqcs(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch) {
  if (input_type == QCS_INPUT_INT8)
    qcs_encode(codec->model, input, packed, scratch);
  else
    qcs_encode_counts(codec->model, input, packed, scratch);
}
