/* SPDX-License-Identifier: Apache-2.0 */
/* The int16 encoder for Armv8.1-M with MVE. Sums: eight products per VMLADAVA, weights widened by
 * the load, x shared by four rows: 0.3 instructions per product. Activations: four at a time. Equal
 * to qcs_int16_sums.c and qcs_int16_finish.c. */
#include "qcs_int16_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_MVE

#include <arm_mve.h>

void qcs_int16_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                    int32_t sums[QCS_INT16_ROWS]) {
  /* Rows that are not there repeat one that is. */
  const int8_t *first = rows, *second = left > 1 ? rows + n : rows;
  const int8_t *third = left > 2 ? second + n : rows, *fourth = left > 3 ? third + n : rows;
  int32_t a = 0, b = 0, c = 0, d = 0;
  __asm__ volatile("dlstp.16 lr, %[n]\n"
                   "1: vldrh.u16 q0, [%[x]], #16\n"
                   "vldrb.s16 q1, [%[first]], #8\n"
                   "vmladava.s16 %[a], q0, q1\n"
                   "vldrb.s16 q2, [%[second]], #8\n"
                   "vmladava.s16 %[b], q0, q2\n"
                   "vldrb.s16 q1, [%[third]], #8\n"
                   "vmladava.s16 %[c], q0, q1\n"
                   "vldrb.s16 q2, [%[fourth]], #8\n"
                   "vmladava.s16 %[d], q0, q2\n"
                   "letp lr, 1b\n"
                   : [x] "+r"(x), [first] "+l"(first), [second] "+l"(second), [third] "+l"(third),
                     [fourth] "+l"(fourth), [a] "+Te"(a), [b] "+Te"(b), [c] "+Te"(c), [d] "+Te"(d)
                   : [n] "r"((uint32_t)n)
                   : "q0", "q1", "q2", "lr", "cc", "memory");
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/* tanh of four pre-activations: tanh_of of qcs_int16_finish.c. Behind the last point the table does
 * not rise. */
static int32x4_t tanh_of(const int16_t *table, int32x4_t pre) {
  const uint32x4_t steps = vmulq_n_u32(vreinterpretq_u32_s32(vabsq_s32(pre)), 3);
  const uint32x4_t place = vminq_u32(vshrq_n_u32(steps, 8), vdupq_n_u32(255));
  const uint32x4_t next = vminq_u32(vaddq_n_u32(place, 1), vdupq_n_u32(255));
  const int32x4_t low = vldrhq_gather_shifted_offset_s32(table, place);
  const int32x4_t rise = vsubq_s32(vldrhq_gather_shifted_offset_s32(table, next), low);
  const int32x4_t rest = vreinterpretq_s32_u32(vandq_u32(steps, vdupq_n_u32(255)));
  const int32x4_t value = vaddq_s32(vshlq_n_s32(low, 8), vmulq_s32(rest, rise));
  return vnegq_m_s32(vrshrq_n_s32(value, 8), vrshrq_n_s32(value, 8), vcmpltq_n_s32(pre, 0));
}

void qcs_int16_finish(const qcs_int16_layer_t *layer, uint16_t first, uint16_t count,
                      const int32_t sums[QCS_INT16_ROWS], int16_t y[]) {
  const mve_pred16_t valid = vctp32q(count);
  const int32x4_t bias = vldrwq_z_s32(layer->bias + first, valid);
  const int32x4_t multiplier = vldrwq_z_s32(layer->multiplier + first, valid);
  const int32x4_t shift = vldrbq_z_s32(layer->shift + first, valid);
  const int32x4_t none = vdupq_n_s32(0);
  const int32x4_t acc = vaddq_s32(vldrwq_s32(sums), bias);
  /* First rounding, then the second one where the shift goes right: half away from zero. */
  const int32x4_t high = vqrdmulhq_s32(vshlq_s32(acc, vmaxq_s32(shift, none)), multiplier);
  const int32x4_t sign = vshrq_n_s32(high, 31);
  const int32x4_t toward = vaddq_m_s32(high, high, sign, vcmpltq_n_s32(shift, 0));
  const int32x4_t pre = vrshlq_s32(toward, vminq_s32(shift, none));
  const int32x4_t output = layer->activation ? tanh_of(layer->activation, pre)
                                             : vmaxq_s32(vminq_s32(pre, vdupq_n_s32(layer->high)),
                                                         vdupq_n_s32(layer->low));
  vstrhq_p_s32(y, output, valid);
}

#endif
