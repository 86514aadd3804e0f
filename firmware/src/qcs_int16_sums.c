/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of the int16 encoder, plain C: the specification of qcs_int16_dsp.c and
 * qcs_int16_mve.c. */
#include "qcs_int16_kernels.h"

#if !QCS_INT16_DSP && QCS_LAYOUT != QCS_LAYOUT_MVE

void qcs_int16_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                    int32_t sums[QCS_INT16_ROWS]) {
  for (uint16_t row = 0; row < left && row < QCS_INT16_ROWS; row++) {
    int32_t sum = 0;
    for (uint16_t i = 0; i < n; i++)
      sum += (int32_t)qcs_rom_i8(rows++) * x[i];
    sums[row] = sum;
  }
}

#endif
