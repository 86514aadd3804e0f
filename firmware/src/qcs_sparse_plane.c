/* SPDX-License-Identifier: Apache-2.0 */
/* Section 4 of docs/sparse.md, code plane: the nearest point of both coefficients, or of one. */
#include "qcs_sparse_parts.h"

static uint32_t nearest(const qcs_sparse_points_t *points, const qcs_sparse_found_t *found) {
  const int32_t magnitudes[2] = {qcs_sparse_magnitude(found->values[0]),
                                 qcs_sparse_magnitude(found->values[1])};
  const uint8_t negative[2] = {found->values[0] < 0, found->values[1] < 0};
  uint32_t word = 0;
  int32_t least = INT32_MAX;
  uint32_t number = found->number * points->count;
  const int16_t *const end = points->plane + 2U * points->count;
  for (const int16_t *point = points->plane; point < end; point += 2, number++) {
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
    number = (uint32_t)(kept == 0 ? found->first : found->second) * points->axis_count;
    for (uint16_t k = 0; k < points->axis_count; k++, number++) {
      const int32_t a = magnitudes[kept] - qcs_rom_i16(points->axis + k);
      const int32_t distance = a * a + dropped;
      if (distance < least) {
        least = distance;
        word = points->alone_words + 2U * number + negative[kept];
      }
    }
  }
  return word;
}

uint32_t qcs_sparse_plane(const qcs_sparse_model_t *model, const int16_t y[],
                          const qcs_sparse_found_t *found) {
  (void)y;
  return nearest(model->points, found);
}

uint32_t qcs_sparse_guarded_plane(const qcs_sparse_model_t *model, const int16_t y[],
                                  const qcs_sparse_found_t *found) {
  if (qcs_sparse_guard(model, y, found))
    return model->limits->plain_words + nearest(model->points->coarse, found);
  return nearest(model->points, found);
}
