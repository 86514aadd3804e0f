/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layers, plain C: the specification of every other kernel. */
#include "qcs_int8_kernels.h"
#include "qcs_rom.h"

#if QCS_LAYOUT == QCS_LAYOUT_PLAIN

#if !QCS_AVR_KERNEL
static int32_t qcs_int8_dot(const int8_t *weights, const int8_t *x, uint16_t n) {
  int32_t sum = 0;
  for (uint16_t i = 0; i < n; i++)
    sum += qcs_rom_i8(weights + i) * x[i];
  return sum;
}
#endif

void qcs_int8_dense_step(const qcs_int8_layer_t *layer, const qcs_int8_act_t x[],
                         qcs_int8_act_t y[]) {
  const int8_t *row = layer->weights;
  for (uint16_t i = 0; i < layer->outputs; i++, row += layer->inputs) {
    const int32_t acc = qcs_rom_i32(layer->bias + i) + qcs_int8_dot(row, x, layer->inputs);
    const int32_t scaled =
        qcs_requantize(acc, qcs_rom_i32(layer->multiplier + i), qcs_rom_i8(layer->shift + i));
    y[i] = qcs_rom_i8(layer->activation + (qcs_int8_to_grid(scaled, layer->zero_point) + 128));
  }
}

void qcs_int8_last_step(const qcs_int8_model_t *model, uint16_t inputs, const qcs_int8_act_t x[],
                        uint8_t packed[], qcs_int8_act_t spare[]) {
  (void)spare;
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const int8_t *row = model->weights;
  const int32_t *thresholds = model->thresholds;
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t i = 0; i < model->outputs; i++, row += inputs, thresholds += steps)
    qcs_pack_put(&packer, qcs_count_reached(thresholds, steps, qcs_int8_dot(row, x, inputs)));
  qcs_pack_end(&packer);
}

#endif
