/* Sums of products of the wide encoder, plain C: the specification of qcs_wide_dsp.c and
 * qcs_wide_mve.c. */
#include "qcs_rom.h"
#include "qcs_wide_kernels.h"

#if !QCS_WIDE_DSP && QCS_LAYOUT != QCS_LAYOUT_MVE

void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]) {
  for (uint16_t row = 0; row < left && row < QCS_WIDE_ROWS; row++) {
    int32_t sum = 0;
    for (uint16_t i = 0; i < n; i++)
      sum += (int32_t)qcs_rom_i8(rows++) * x[i];
    sums[row] = sum;
  }
}

#endif
