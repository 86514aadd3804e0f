/* SPDX-License-Identifier: Apache-2.0 */
/* The Rice codes of section 4 of docs/transform.md. */
#include "qcs_transform_parts.h"

#define MOST_ONES 15U
#define END_BITS 5U

/* A magnitude with a Rice parameter, and its sign. */
static bool put_index(qcs_transform_bits_t *to, unsigned magnitude, unsigned parameter,
                      unsigned sign) {
  const unsigned ones = magnitude >> parameter;
  bool fits;
  if (ones < MOST_ONES)
    fits = qcs_transform_put_bits(to, (1U << (ones + 1U)) - 2U, ones + 1U) &&
           qcs_transform_put_bits(to, magnitude & ((1U << parameter) - 1U), parameter);
  else
    fits = qcs_transform_put_bits(to, (1U << MOST_ONES) - 1U, MOST_ONES) &&
           qcs_transform_put_bits(to, magnitude, 15);
  return fits && (magnitude == 0 || qcs_transform_put_bits(to, sign, 1));
}

/* Code a window of sums. Not static: the profile tells steps by name. */
bool qcs_transform_rice_step(qcs_transform_bits_t *to, const qcs_transform_model_t *model,
                             const qcs_transform_quantizer_t *quantizer, const int32_t sums[]);

bool qcs_transform_rice_step(qcs_transform_bits_t *to, const qcs_transform_model_t *model,
                             const qcs_transform_quantizer_t *quantizer, const int32_t sums[]) {
  unsigned position;
  const int32_t *const end = sums + qcs_transform_end(model, quantizer, sums, &position);
  if (!qcs_transform_put_bits(to, position, END_BITS))
    return false;
  const uint8_t *parameters = model->rice;
  for (; sums < end; sums++) {
    const unsigned magnitude = qcs_transform_index(quantizer, qcs_transform_magnitude(*sums));
    if (magnitude == QCS_TRANSFORM_TOO_LARGE ||
        !put_index(to, magnitude, qcs_rom_u8(parameters++), *sums < 0))
      return false;
  }
  return true;
}

uint16_t qcs_transform_rice(const qcs_transform_job_t *job, uint8_t quality, uint8_t packed[]) {
  const qcs_transform_model_t *const model = job->model;
  const qcs_transform_quantizer_t quantizer = qcs_transform_quantizer(model, quality);
  qcs_transform_bits_t to = {packed, packed + model->room, 0, 0};
  if (model->qualities > 1 && !qcs_transform_put_bits(&to, quality, QCS_TRANSFORM_QUALITY_BITS))
    return 0;
  for (unsigned window = 0; window < model->windows; window++) {
    if (!qcs_transform_rice_step(&to, model, &quantizer, qcs_transform_sums(job, window)))
      return 0;
  }
  if (!qcs_transform_end_bits(&to))
    return 0;
  return qcs_range_trimmed(packed, (uint16_t)(to.out - packed));
}
