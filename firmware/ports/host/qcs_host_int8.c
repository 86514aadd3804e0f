/* SPDX-License-Identifier: Apache-2.0 */
/* The int8 encoder on blocks of packets: the arithmetic of firmware/src with the packets side by
 * side in memory, so that a host compiler turns every inner loop into SIMD instructions. Bit-exact
 * with qcs_int8_encode_inputs; a test holds the two equal. */
#include "qcs_host.h"
#include "qcs_int8_kernels.h"

#include <string.h>

#define LANES QCS_HOST_BLOCK_LANES

/* Sums of one row: acc[lane] = bias + sum of row[i] * x[i][lane]. */
static void dot_lanes(const int8_t *row, uint16_t n, const int16_t x[][LANES], int32_t bias,
                      int32_t acc[LANES]) {
  int32_t sum[LANES];
  for (unsigned lane = 0; lane < LANES; lane++)
    sum[lane] = bias;
  for (uint16_t i = 0; i < n; i++) {
    const int32_t w = row[i];
    for (unsigned lane = 0; lane < LANES; lane++)
      sum[lane] += w * x[i][lane];
  }
  memcpy(acc, sum, sizeof sum);
}

/* Mirrors qcs_dense. */
static void dense_lanes(const qcs_int8_layer_t *layer, const int16_t x[][LANES],
                        int16_t y[][LANES]) {
  const int8_t *row = layer->weights;
  for (uint16_t i = 0; i < layer->outputs; i++, row += layer->inputs) {
    const int32_t multiplier = layer->multiplier[i];
    const int8_t shift = layer->shift[i];
    int32_t acc[LANES];
    uint8_t place[LANES];
    dot_lanes(row, layer->inputs, x, layer->bias[i], acc);
    for (unsigned lane = 0; lane < LANES; lane++) {
      const int32_t grid = qcs_requantize(acc[lane], multiplier, shift);
      place[lane] = (uint8_t)(qcs_int8_to_grid(grid, layer->zero_point) + 128);
    }
    for (unsigned lane = 0; lane < LANES; lane++)
      y[i][lane] = layer->activation[place[lane]];
  }
}

/* index[i][lane]: how many of row i's thresholds are <= its accumulator. */
static void index_lanes(const qcs_int8_model_t *model, uint16_t inputs, const int16_t x[][LANES],
                        uint8_t index[][LANES]) {
  const unsigned steps = model->levels - 1U;
  const int8_t *row = model->weights;
  const int32_t *thresholds = model->thresholds;
  for (uint16_t i = 0; i < model->outputs; i++, row += inputs, thresholds += steps) {
    int32_t acc[LANES];
    int32_t reached[LANES] = {0};
    dot_lanes(row, inputs, x, 0, acc);
    for (unsigned j = 0; j < steps; j++) {
      const int32_t threshold = thresholds[j];
      for (unsigned lane = 0; lane < LANES; lane++)
        reached[lane] += acc[lane] >= threshold;
    }
    for (unsigned lane = 0; lane < LANES; lane++)
      index[i][lane] = (uint8_t)reached[lane];
  }
}

/* All indices of a vector in one word: groups of one index, 64 bits at most. */
static void pack_words(const qcs_int8_model_t *model, const uint8_t index[][LANES], unsigned lanes,
                       uint8_t packed[]) {
  uint64_t word[LANES] = {0};
  for (uint16_t i = 0; i < model->outputs; i++)
    for (unsigned lane = 0; lane < LANES; lane++)
      word[lane] |= (uint64_t)index[i][lane] << (i * model->group_bits);
  for (unsigned lane = 0; lane < lanes; lane++)
    for (uint16_t byte = 0; byte < model->packed_bytes; byte++)
      packed[(size_t)lane * model->packed_bytes + byte] = (uint8_t)(word[lane] >> (8U * byte));
}

static void pack_lanes(const qcs_int8_model_t *model, const uint8_t index[][LANES], unsigned lanes,
                       uint8_t packed[]) {
  if (model->group_symbols == 1 && (unsigned)model->outputs * model->group_bits <= 64) {
    pack_words(model, index, lanes, packed);
    return;
  }
  for (unsigned lane = 0; lane < lanes; lane++) {
    qcs_packer_t packer;
    qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits,
                  packed + (size_t)lane * model->packed_bytes);
    for (uint16_t i = 0; i < model->outputs; i++)
      qcs_pack_put(&packer, index[i][lane]);
    qcs_pack_end(&packer);
  }
}

static bool is_int8(const qcs_codec_t *codec) { return codec->encode == qcs_encode_int8; }

size_t qcs_host_block_entries(const qcs_codec_t *codec) {
  if (!is_int8(codec))
    return 0;
  const qcs_int8_model_t *const model = codec->model;
  return (size_t)LANES * (2U * model->widest + model->outputs);
}

bool qcs_host_network_input(const qcs_codec_t *codec, const int16_t counts[], size_t n,
                            int8_t x[]) {
  if (!is_int8(codec))
    return false;
  const qcs_int8_model_t *const model = codec->model;
  for (size_t i = 0; i < n * model->inputs; i += model->inputs)
    qcs_int8_input_step(model->front_end, model->front_run, model->inputs, counts + i, x + i);
  return true;
}

void qcs_host_block(const qcs_codec_t *codec, const int8_t x[], size_t n, uint8_t packed[],
                    int16_t scratch[]) {
  const qcs_int8_model_t *const model = codec->model;
  int16_t (*even)[LANES] = (int16_t (*)[LANES])scratch;
  int16_t (*odd)[LANES] = even + model->widest;
  uint8_t (*index)[LANES] = (uint8_t (*)[LANES])(odd + model->widest);
  memset(even, 0, (size_t)model->widest * sizeof *even);
  for (size_t start = 0; start < n; start += LANES) {
    const unsigned lanes = n - start < LANES ? (unsigned)(n - start) : LANES;
    const int8_t *vector = x + start * model->inputs;
    for (unsigned lane = 0; lane < lanes; lane++)
      for (uint16_t i = 0; i < model->inputs; i++)
        even[i][lane] = *vector++;
    uint16_t width = model->inputs;
    for (uint8_t layer = 0; layer < model->hidden_count; layer++) { /* even to odd, odd to even */
      dense_lanes(&model->hidden[layer], (const int16_t (*)[LANES])((layer & 1U) ? odd : even),
                  (layer & 1U) ? even : odd);
      width = model->hidden[layer].outputs;
    }
    const int16_t (*last)[LANES] =
        (const int16_t (*)[LANES])((model->hidden_count & 1U) ? odd : even);
    index_lanes(model, width, last, index);
    pack_lanes(model, (const uint8_t (*)[LANES])index, lanes, packed + start * model->packed_bytes);
  }
}
