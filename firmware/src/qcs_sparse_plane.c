/* SPDX-License-Identifier: Apache-2.0 */
/* Section 4 of docs/sparse.md, code plane: the nearest point of both coefficients, or of one. */
#include "qcs_sparse_parts.h"

#define MOST_MAGNITUDE 32767

static int32_t magnitude_of(int32_t value) {
  const uint32_t magnitude = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
  return magnitude > MOST_MAGNITUDE ? MOST_MAGNITUDE : (int32_t)magnitude;
}

uint32_t qcs_sparse_plane(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found) {
  const int32_t magnitudes[2] = {magnitude_of(found->values[0]), magnitude_of(found->values[1])};
  const uint8_t negative[2] = {found->values[0] < 0, found->values[1] < 0};
  uint32_t word = 0;
  int32_t least = INT32_MAX;
  uint32_t number = (uint32_t)found->number * model->plane_count;
  const int16_t *const end = model->plane + 2U * model->plane_count;
  for (const int16_t *point = model->plane; point < end; point += 2, number++) {
    const int32_t a = magnitudes[0] - qcs_rom_i16(point),
                  b = magnitudes[1] - qcs_rom_i16(point + 1);
    const int32_t distance = a * a + b * b;
    if (distance < least) {
      least = distance;
      word = 4U * number + 2U * negative[0] + negative[1];
    }
  }
  for (uint8_t kept = 0; kept < 2; kept++) {
    const int32_t dropped = magnitudes[1 - kept] * magnitudes[1 - kept];
    number = (uint32_t)(kept == 0 ? found->first : found->second) * model->axis_count;
    for (uint16_t k = 0; k < model->axis_count; k++, number++) {
      const int32_t a = magnitudes[kept] - qcs_rom_i16(model->axis + k);
      const int32_t distance = a * a + dropped;
      if (distance < least) {
        least = distance;
        word = model->alone_words + 2U * number + negative[kept];
      }
    }
  }
  return word;
}
