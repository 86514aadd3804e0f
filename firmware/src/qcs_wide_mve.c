/* Sums of products of the wide encoder for Armv8.1-M with MVE: eight products per VMLADAVA, weights
 * widened by the load, x shared by four rows. Equal to qcs_wide_sums.c. */
#include "qcs_wide_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_MVE

#include <arm_mve.h>

void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]) {
  const uint32_t stride = n;
  /* Rows that are not there repeat one that is. */
  const int8_t *const second = left > 1 ? rows + stride : rows;
  const int8_t *const third = left > 2 ? rows + 2U * stride : rows;
  const int8_t *const fourth = left > 3 ? rows + 3U * stride : rows;
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (uint32_t i = 0; i < stride; i += 8) {
    const mve_pred16_t valid = vctp16q(stride - i);
    const int16x8_t values = vldrhq_z_s16(x + i, valid); /* zeros behind the end */
    a = vmladavaq_s16(a, values, vldrbq_z_s16(rows + i, valid));
    b = vmladavaq_s16(b, values, vldrbq_z_s16(second + i, valid));
    c = vmladavaq_s16(c, values, vldrbq_z_s16(third + i, valid));
    d = vmladavaq_s16(d, values, vldrbq_z_s16(fourth + i, valid));
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

#endif
