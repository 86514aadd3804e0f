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
 * linear between points. Saturates before int16 does, so that |pre| < 2^30 may be any. Mirrors
 * qcskit.codec.wide.tanh. */
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

/* qcs_requantize for |acc << shift| < 2^30: twice that fits, so that the first rounding is the high
 * word of a product, and no sum overflows in the second. */
static int32_t requantize(int32_t acc, int32_t multiplier, int8_t shift) {
#if QCS_AVR_KERNEL
  return qcs_requantize(acc, multiplier, shift);
#else
  const unsigned left = 1U + (shift > 0 ? (unsigned)shift : 0U);
  const int32_t shifted = (int32_t)((uint32_t)acc << left);
  const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 31)) >> 32);
  if (shift >= 0)
    return high;
  return (((high + (high >> 31)) >> (unsigned)(-1 - shift)) + 1) >> 1;
#endif
}

static void dense(const qcs_wide_dense_t *layer, const int16_t x[], int16_t y[]) {
  const int8_t *rows = layer->weights, *shift = layer->shift;
  const int32_t *bias = layer->bias, *multiplier = layer->multiplier;
  const int16_t *const table = layer->activation;
  const int16_t low = layer->low, high = layer->high;
  for (uint16_t left = layer->outputs; left > 0;) {
    int32_t sums[QCS_WIDE_ROWS];
    const uint16_t count = left < QCS_WIDE_ROWS ? left : QCS_WIDE_ROWS;
    qcs_wide_sums(rows, x, layer->inputs, left, sums);
    rows += (uint32_t)QCS_WIDE_ROWS * layer->inputs;
    left = (uint16_t)(left - count);
    for (uint16_t i = 0; i < count; i++) {
      const int32_t acc = sums[i] + qcs_rom_i32(bias++);
      const int32_t scaled = requantize(acc, qcs_rom_i32(multiplier++), qcs_rom_i8(shift++));
      *y++ = table ? tanh_of(table, scaled) : clamped(scaled, low, high);
    }
  }
}

static void dense_pack(const qcs_wide_t *model, uint16_t inputs, const int16_t x[],
                       uint8_t packed[]) {
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const int8_t *rows = model->weights;
  const int32_t *thresholds = model->thresholds;
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t left = model->outputs; left > 0;) {
    int32_t sums[QCS_WIDE_ROWS];
    const uint16_t count = left < QCS_WIDE_ROWS ? left : QCS_WIDE_ROWS;
    qcs_wide_sums(rows, x, inputs, left, sums);
    rows += (uint32_t)QCS_WIDE_ROWS * inputs;
    left = (uint16_t)(left - count);
    for (uint16_t i = 0; i < count; i++, thresholds += steps)
      qcs_pack_put(&packer, qcs_count_reached(thresholds, steps, sums[i]));
  }
  qcs_pack_end(&packer);
}

void qcs_wide_encode(const qcs_wide_t *model, const int16_t counts[], uint8_t packed[],
                     int16_t scratch[]) {
  int16_t *x = scratch, *y = scratch + model->widest;
  const int32_t unit = (int32_t)1 << model->input_shift;
  uint16_t width = model->inputs;
  for (uint16_t i = 0; i < width; i++)
    x[i] = clamped(((int32_t)counts[i] - model->offset) * unit, INT16_MIN, INT16_MAX);
  for (uint8_t number = 0; number < model->hidden_count; number++) {
    int16_t *const output = y;
    dense(&model->hidden[number], x, output);
    width = model->hidden[number].outputs;
    y = x; /* the halves change roles */
    x = output;
  }
  dense_pack(model, width, x, packed);
}

void qcs_codec_encode_wide(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch) {
  (void)input_type;
  qcs_wide_encode(codec->model, input, packed, scratch);
}
