/* SPDX-License-Identifier: Apache-2.0 */
/* Section 1 of docs/transform.md: counts of a window -> folded samples -> a sum per row. */
#include "qcs_transform_parts.h"

/* Each further fold: sums to v[0 .. half - 1], differences to v[half .. 2 half - 1]. */
static void fold(int32_t v[], uint16_t half) {
  int32_t *low = v + half, *high = low;
  while (low > v) {
    const int32_t a = *--low, b = *high;
    *low = a + b;
    *high++ = a - b;
  }
}

void qcs_transform_sums_step(const qcs_transform_job_t *job, unsigned window) {
  const qcs_transform_model_t *const model = job->model;
  const uint16_t inputs = (uint16_t)(model->samples * model->stride);
  qcs_transform_block_t block = {model->weights, model->positions, job->sums, model->samples, 0};
  for (uint8_t i = 0; i <= model->folds; i++) {
    const int32_t *v = job->v;
    if (i < model->folds) {
      block.half = (uint16_t)(block.half >> 1);
      if (i == 0)
        qcs_transform_load(model, job->counts + (uint32_t)window * inputs, job->v, 0);
      else
        fold(job->v, block.half);
      v += block.half;
    }
    block.rows = qcs_rom_u16(&model->block_rows[i]);
    qcs_transform_block(&block, v);
  }
}
