/* SPDX-License-Identifier: Apache-2.0 */
/* The whole int16 encoder. */
#include "qcs_int16_kernels.h"

static void dense(const qcs_int16_layer_t *layer, const int16_t x[], int16_t y[]) {
  const int8_t *rows = layer->weights;
  for (uint16_t done = 0; done < layer->outputs;) {
    int32_t sums[QCS_INT16_ROWS];
    const uint16_t left = (uint16_t)(layer->outputs - done);
    const uint16_t count = left < QCS_INT16_ROWS ? left : QCS_INT16_ROWS;
    qcs_int16_sums(rows, x, layer->inputs, left, sums);
    qcs_int16_finish(layer, done, count, sums, y + done);
    rows += (uint32_t)QCS_INT16_ROWS * layer->inputs;
    done = (uint16_t)(done + count);
  }
}

static void dense_pack(const qcs_int16_model_t *model, uint16_t inputs, const int16_t x[],
                       uint8_t packed[]) {
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const int8_t *rows = model->weights;
  const int32_t *thresholds = model->thresholds;
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t left = model->outputs; left > 0;) {
    int32_t sums[QCS_INT16_ROWS];
    const uint16_t count = left < QCS_INT16_ROWS ? left : QCS_INT16_ROWS;
    qcs_int16_sums(rows, x, inputs, left, sums);
    rows += (uint32_t)QCS_INT16_ROWS * inputs;
    left = (uint16_t)(left - count);
    for (uint16_t i = 0; i < count; i++, thresholds += steps)
      qcs_pack_put(&packer, qcs_count_reached(thresholds, steps, sums[i]));
  }
  qcs_pack_end(&packer);
}

uint16_t qcs_int16_encode_counts(const qcs_int16_model_t *model, const int16_t counts[],
                                 uint8_t packed[], uint32_t scratch[]) {
  int16_t *x = (int16_t *)(void *)scratch, *y = x + model->widest;
  uint16_t width = model->inputs;
  qcs_int16_input_step(model->front_end, model->front_run, width, counts, x);
  for (uint8_t number = 0; number < model->hidden_count; number++) {
    int16_t *const output = y;
    dense(&model->hidden[number], x, output);
    width = model->hidden[number].outputs;
    y = x; /* the halves change roles */
    x = output;
  }
  dense_pack(model, width, x, packed);
  return model->packed_bytes;
}

uint16_t qcs_encode_int16(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                          uint8_t packed[], void *scratch) {
  (void)input_type;
  return qcs_int16_encode_counts(codec->model, input, packed, scratch);
}
