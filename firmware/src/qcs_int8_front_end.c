/* ADC counts to the int8 input grid. */
#include "qcs_int8_kernels.h"

#if QCS_AVR_KERNEL

void qcs_int8_input_step(const qcs_int8_front_end_t *front_end, uint16_t n, const int16_t counts[],
                         int8_t x[]) {
  for (uint16_t i = 0; i < n; i++) {
    const int32_t centred = (int32_t)counts[i] - front_end->offset;
    const int32_t grid = qcs_requantize(centred, front_end->multiplier, front_end->shift);
    x[i] = qcs_int8_to_grid(grid, front_end->zero_point);
  }
}

#else

/* As qcs_requantize, but |count - offset| < 2^17: no sum overflows where the shift goes right. */
void qcs_int8_input_step(const qcs_int8_front_end_t *front_end, uint16_t n, const int16_t counts[],
                         int8_t x[]) {
  const unsigned left = front_end->shift > 0 ? (unsigned)front_end->shift : 0U;
  const unsigned right = front_end->shift < 0 ? (unsigned)-front_end->shift : 0U;
  const int32_t half = (int32_t)(((uint32_t)1 << right) >> 1);
  const int32_t away = right > 0 ? -1 : 0; /* from zero, if half is to be rounded */
  for (uint16_t i = 0; i < n; i++) {
    const uint32_t centred = (uint32_t)((int32_t)counts[i] - front_end->offset);
    const int64_t product = (int64_t)(int32_t)(centred << left) * front_end->multiplier;
    const int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
    x[i] = qcs_int8_to_grid((high + half + ((high >> 31) & away)) >> right, front_end->zero_point);
  }
}

#endif
