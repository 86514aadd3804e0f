/* SPDX-License-Identifier: Apache-2.0 */
/* Section 1 of docs/transform.md for a model with steps: a network of folds, turns and blocks gives
 * the sums of all windows. Mirrors qcskit.codec.transform.network.network_sums. */
#include "qcs_transform_parts.h"

#define STEP 3U /* numbers of a step: start, half, rows */
#define FOLD 65535U
#define TURN 65534U
#define TURN_BITS 11U
#define MOST_LIFT 8U
#define LOUDEST 0x4000U

static inline int32_t up(int32_t x, unsigned lift) { return (int32_t)((uint32_t)x << lift); }

/* v[0 .. half - 1] becomes sums, v[half .. 2 half - 1] differences, all of them << lift. */
static inline void fold(int32_t v[], unsigned half, unsigned lift) {
  int32_t *low = v + half, *high = low;
  while (low > v) {
    const int32_t a = *--low, b = *high;
    *low = up(a + b, lift);
    *high++ = up(a - b, lift);
  }
}

/* Turns v[i] and v[2 half - 1 - i] by the i-th twiddle; returns the twiddle behind the last. Where
 * the values are yet to be lifted, so many bits less are dropped. */
static const int16_t *turn(int32_t v[], unsigned half, const int16_t *twiddle, unsigned lift) {
  const unsigned bits = TURN_BITS - lift;
  const int32_t half_a_unit = (int32_t)1 << (bits - 1U);
  int32_t *low = v, *high = v + 2U * half;
  while (low < high) {
    const int32_t c = qcs_rom_i16(twiddle), s = qcs_rom_i16(twiddle + 1);
    const int32_t a = *low, b = *--high;
    *low++ = (c * a + s * b + half_a_unit) >> bits;
    *high = (c * b - s * a + half_a_unit) >> bits;
    twiddle += 2;
  }
  return twiddle;
}

/* How many bits up every sample stays an int16. loud: all bits of their magnitudes. */
static unsigned lift_of(uint32_t loud) {
  unsigned lift = 0;
  for (; lift < MOST_LIFT && loud < LOUDEST; loud <<= 1)
    lift++;
  return lift;
}

/* What lies behind the first fold, which has been done. */
static void network(const qcs_transform_model_t *model, int32_t v[], int32_t sums[],
                    unsigned lift) {
  const uint16_t *step = model->steps + STEP, *const end = model->steps + STEP * model->step_count;
  const unsigned quarter = model->samples >> 2;
  const int16_t *twiddle = model->twiddles;
  qcs_transform_block_t block = {model->weights, model->positions, sums, 0, 0};
  for (; step < end; step += STEP) {
    int32_t *const at = v + qcs_rom_u16(step);
    block.half = qcs_rom_u16(step + 1);
    block.rows = qcs_rom_u16(step + 2);
    /* Those of this size alone find values that are not yet lifted. */
    const unsigned own = block.half == quarter ? lift : 0;
    if (block.rows == FOLD && own)
      fold(at, block.half, own);
    else if (block.rows == FOLD)
      fold(at, block.half, 0);
    else if (block.rows == TURN)
      twiddle = turn(at, block.half, twiddle, own);
    else
      qcs_transform_block(&block, at);
  }
}

/* Differences and sums of pairs of sums. */
static void combine(const uint16_t *pair, unsigned count, int32_t sums[]) {
  for (; count > 0; count--, pair += 2) {
    int32_t *const lower = sums + qcs_rom_u16(pair), *const upper = sums + qcs_rom_u16(pair + 1);
    const int32_t a = *lower, b = *upper;
    *lower = a - b;
    *upper = a + b;
  }
}

/* The sums of a window. Not static: the profile tells steps by name. */
void qcs_transform_fast_step(const qcs_transform_model_t *model, const int16_t counts[],
                             int32_t v[], int32_t sums[]);

void qcs_transform_fast_step(const qcs_transform_model_t *model, const int16_t counts[],
                             int32_t v[], int32_t sums[]) {
  uint32_t loud = 0;
  qcs_transform_load(model, counts, v, &loud);
  const unsigned lift = lift_of(loud);
  network(model, v, sums, lift);
  combine(model->pairs, model->pair_count, sums);
  for (int32_t *const end = sums + model->rows; sums < end; sums++)
    *sums >>= lift;
}

void qcs_transform_fast(const qcs_transform_job_t *job) {
  const qcs_transform_model_t *const model = job->model;
  const uint16_t inputs = (uint16_t)(model->samples * model->stride);
  const int16_t *counts = job->counts;
  int32_t *sums = job->sums;
  for (unsigned window = 0; window < model->windows; window++) {
    qcs_transform_fast_step(model, counts, job->v, sums);
    counts += inputs;
    sums += model->rows;
  }
}
