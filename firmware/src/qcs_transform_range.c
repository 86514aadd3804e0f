/* SPDX-License-Identifier: Apache-2.0 */
/* Section 3 of docs/transform.md: symbols of a window through the range coder. */
#include "qcs_transform_parts.h"

#define CONTEXTS 25U

/* Code a window of sums. Not static: the profile tells steps by name. */
bool qcs_transform_range_step(qcs_range_t *coder, const qcs_transform_model_t *model,
                              const qcs_transform_quantizer_t *quantizer, const int32_t sums[]);

bool qcs_transform_range_step(qcs_range_t *coder, const qcs_transform_model_t *model,
                              const qcs_transform_quantizer_t *quantizer, const int32_t sums[]) {
  unsigned position;
  const int32_t *const end = sums + qcs_transform_end(model, quantizer, sums, &position);
  if (!qcs_range_put_symbol(coder, model->symbols + model->ends + position))
    return false;
  const uint8_t *classes = model->classes;
  unsigned previous = 0, before = 0; /* symbols */
  for (; sums < end; sums++) {
    const unsigned magnitude = qcs_transform_index(quantizer, qcs_transform_magnitude(*sums));
    unsigned context = 2U * previous + before;
    if (context >= CONTEXTS)
      context = CONTEXTS - 1U;
    const unsigned table = qcs_rom_u8(&model->contexts[qcs_rom_u8(classes++) * CONTEXTS + context]);
    before = previous;
    if (!qcs_range_put_index(coder, model->symbols + table * QCS_RANGE_SYMBOLS, magnitude,
                             *sums < 0, &previous))
      return false;
  }
  return true;
}

uint16_t qcs_transform_range(const qcs_transform_job_t *job, uint8_t quality, uint8_t packed[]) {
  const qcs_transform_model_t *const model = job->model;
  const qcs_transform_quantizer_t quantizer = qcs_transform_quantizer(model, quality);
  qcs_range_t coder = qcs_range_begin(packed, model->room);
  if (model->qualities > 1 && !qcs_range_put_number(&coder, quality, QCS_TRANSFORM_QUALITY_BITS))
    return 0;
  for (unsigned window = 0; window < model->windows; window++) {
    if (!qcs_transform_range_step(&coder, model, &quantizer, qcs_transform_sums(job, window)))
      return 0;
  }
  if (!qcs_range_put_end(&coder))
    return 0;
  return qcs_range_trimmed(packed, (uint16_t)(coder.out - packed));
}
