/* Section 1 of docs/transform.md: counts of a window -> folded samples -> a sum per row. */
#include "qcs_transform_parts.h"

/* To int16. */
static inline int32_t saturated(int32_t x) {
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
  __asm__("ssat %0, #16, %0" : "+r"(x));
  return x;
#else
  if (x > 32767)
    return 32767;
  return x < -32768 ? -32768 : x;
#endif
}

/* The first fold, on the way from the counts: sums to v[0 .. half - 1], differences behind them. */
static void load(const qcs_transform_model_t *model, const int16_t counts[], int32_t v[]) {
  const uint16_t half = (uint16_t)(model->samples >> 1);
  const uint8_t stride = model->stride;
  const int32_t centre = model->centre;
  const int16_t *a = counts + (uint32_t)half * stride, *b = a;
  int32_t *low = v + half, *high = low;
  while (low > v) {
    a -= stride;
    const int32_t x = saturated(*a - centre), y = saturated(*b - centre);
    b += stride;
    *--low = x + y;
    *high++ = x - y;
  }
}

/* Each further fold: sums to v[0 .. half - 1], differences to v[half .. 2 half - 1]. */
static void fold(int32_t v[], uint16_t half) {
  int32_t *low = v + half, *high = low;
  while (low > v) {
    const int32_t a = *--low, b = *high;
    *low = a + b;
    *high++ = a - b;
  }
}

void qcs_transform_sums_step(const qcs_transform_job_t *job, uint16_t window) {
  const qcs_transform_model_t *const model = job->model;
  const uint16_t inputs = (uint16_t)(model->samples * model->stride);
  qcs_transform_block_t block = {model->weights, model->positions, job->sums, model->samples, 0};
  for (uint8_t i = 0; i <= model->folds; i++) {
    const int32_t *v = job->v;
    if (i < model->folds) {
      block.half = (uint16_t)(block.half >> 1);
      if (i == 0)
        load(model, job->counts + (uint32_t)window * inputs, job->v);
      else
        fold(job->v, block.half);
      v += block.half;
    }
    block.rows = qcs_rom_u16(&model->block_rows[i]);
    qcs_transform_block(&block, v);
  }
}
