/* SPDX-License-Identifier: Apache-2.0 */
/* ADC counts to the network's input grid, in 8 and in 16 bits. */
#include "qcs_int16_kernels.h"
#include "qcs_int8_kernels.h"

#if QCS_AVR_KERNEL

#define FRONT_END_BEGIN(front_end)
#define FRONT_END_GRID(front_end, count)                                                           \
  qcs_requantize((int32_t)(count) - (front_end)->offset, (front_end)->multiplier,                  \
                 (front_end)->shift)

#else

/* As qcs_requantize, but |count - offset| < 2^17: no sum overflows where the shift goes right. */
#define FRONT_END_BEGIN(front_end)                                                                 \
  const unsigned left = (front_end)->shift > 0 ? (unsigned)(front_end)->shift : 0U;                \
  const unsigned right = (front_end)->shift < 0 ? (unsigned)-(front_end)->shift : 0U;              \
  const int32_t half = (int32_t)(((uint32_t)1 << right) >> 1);                                     \
  const int32_t away = right > 0 ? -1 : 0 /* from zero, if half is to be rounded */
#define FRONT_END_GRID(front_end, count)                                                           \
  scaled((uint32_t)((int32_t)(count) - (front_end)->offset) << left, (front_end)->multiplier,      \
         half, away, right)

static inline int32_t scaled(uint32_t centred, int32_t multiplier, int32_t half, int32_t away,
                             unsigned right) {
  const int64_t product = (int64_t)(int32_t)centred * multiplier;
  const int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
  return (high + half + ((high >> 31) & away)) >> right;
}

#endif

void qcs_int8_input_step(const qcs_front_end_t *front_end, uint16_t run, uint16_t n,
                         const int16_t counts[], int8_t x[]) {
  for (uint16_t i = 0; i < n; front_end++) {
    FRONT_END_BEGIN(front_end);
    for (const uint16_t end = (uint16_t)(i + run); i < end; i++)
      x[i] = qcs_int8_to_grid(FRONT_END_GRID(front_end, counts[i]), front_end->zero_point);
  }
}

void qcs_int16_input_step(const qcs_front_end_t *front_end, uint16_t run, uint16_t n,
                          const int16_t counts[], int16_t x[]) {
  for (uint16_t i = 0; i < n; front_end++) {
    FRONT_END_BEGIN(front_end);
    for (const uint16_t end = (uint16_t)(i + run); i < end; i++)
      x[i] = qcs_clamp(FRONT_END_GRID(front_end, counts[i]), INT16_MIN, INT16_MAX);
  }
}
