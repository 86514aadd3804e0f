/* ADC counts to the int8 input grid. */
#include "qcs_kernels.h"

void qcs_quantize(const qcs_front_end_t *front_end, uint16_t n, const int16_t counts[],
                  int8_t x[]) {
  for (uint16_t i = 0; i < n; i++) {
    const int32_t centred = (int32_t)counts[i] - front_end->offset;
    const int32_t grid = qcs_requantize(centred, front_end->multiplier, front_end->shift);
    x[i] = qcs_to_grid(grid, front_end->zero_point);
  }
}
