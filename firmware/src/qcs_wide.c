/* The wide encoder: 16-bit activations, int8 weights. Sums of products have kernels of their own
 * (qcs_wide_kernels.h); the rest is the same on every processor. */
#include "qcs_wide.h"

#include "qcs_kernels.h"
#include "qcs_rom.h"
#include "qcs_wide_kernels.h"

static int16_t clamped(int32_t value, int16_t low, int16_t high) {
  if (value < low)
    return low;
  return value > high ? high : (int16_t)value;
}

/* TFLM's int16 TANH of a pre-activation in steps of 2^-12: three steps of the table's grid each,
 * linear between points. Mirrors qcskit.codec.wide.tanh. */
static int16_t tanh_of(const int16_t *table, int32_t pre) {
  const uint32_t steps = 3U * (uint32_t)(pre < 0 ? -pre : pre);
  const uint32_t place = steps >> 8;
  int32_t value = 32767;
  if (place < 255U) {
    const int32_t low = qcs_rom_i16(table + place);
    const int32_t rise = qcs_rom_i16(table + place + 1) - low;
    value = (low * 256 + (int32_t)(steps & 0xFFU) * rise + 128) >> 8;
  }
  return (int16_t)(pre < 0 ? -value : value);
}

static void dense(const qcs_wide_dense_t *layer, const int16_t x[], int16_t y[]) {
  const int8_t *rows = layer->weights;
  int32_t sums[QCS_WIDE_ROWS];
  for (uint16_t i = 0; i < layer->outputs; i++) {
    const uint16_t place = i % QCS_WIDE_ROWS;
    if (place == 0) {
      qcs_wide_sums(rows, x, layer->inputs, (uint16_t)(layer->outputs - i), sums);
      rows += (uint32_t)QCS_WIDE_ROWS * layer->inputs;
    }
    const int32_t acc = sums[place] + qcs_rom_i32(layer->bias + i);
    const int32_t scaled =
        qcs_requantize(acc, qcs_rom_i32(layer->multiplier + i), qcs_rom_i8(layer->shift + i));
    const int16_t pre = clamped(scaled, layer->low, layer->high);
    y[i] = layer->activation ? tanh_of(layer->activation, pre) : pre;
  }
}

void qcs_wide_encode(const qcs_wide_t *model, const int16_t counts[], uint8_t packed[],
                     int16_t scratch[]) {
  int16_t *x = scratch, *y = scratch + model->widest;
  uint16_t width = model->inputs;
  for (uint16_t i = 0; i < width; i++)
    x[i] = clamped((int32_t)counts[i] - model->offset, INT16_MIN, INT16_MAX);
  for (uint8_t number = 0; number < model->hidden_count; number++) {
    int16_t *const output = y;
    dense(&model->hidden[number], x, output);
    width = model->hidden[number].outputs;
    y = x; /* the halves change roles */
    x = output;
  }
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const int8_t *rows = model->weights;
  const int32_t *thresholds = model->thresholds;
  int32_t sums[QCS_WIDE_ROWS];
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t i = 0; i < model->outputs; i++, thresholds += steps) {
    const uint16_t place = i % QCS_WIDE_ROWS;
    if (place == 0) {
      qcs_wide_sums(rows, x, width, (uint16_t)(model->outputs - i), sums);
      rows += (uint32_t)QCS_WIDE_ROWS * width;
    }
    qcs_pack_put(&packer, qcs_count_reached(thresholds, steps, sums[place]));
  }
  qcs_pack_end(&packer);
}

void qcs_codec_encode_wide(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch) {
  (void)input_type;
  qcs_wide_encode(codec->model, input, packed, scratch);
}
