/* SPDX-License-Identifier: Apache-2.0 */
/* What an AVR does better in its own way, for qcs_int8_dense.c and qcs_front_end.c: sums of
 * products in assembly, requantization by 16-bit products. Bit-exact with the C that they replace.
 */
#include "qcs_int8_kernels.h"

#if QCS_AVR_KERNEL

/* MULS leaves the product's sign in the carry. */
int32_t qcs_int8_dot(const int8_t *weights, const int8_t *x, uint16_t n) {
  int32_t sum = 0;
  uint8_t value, weight;
  __asm__("1: ld %[value], %a[x]+\n"
          "lpm %[weight], %a[w]+\n"
          "muls %[value], %[weight]\n"
          "sbc %[value], %[value]\n"
          "add %A[sum], r0\n"
          "adc %B[sum], r1\n"
          "adc %C[sum], %[value]\n"
          "adc %D[sum], %[value]\n"
          "sbiw %[n], 1\n"
          "brne 1b\n"
          "clr r1\n"
          : [sum] "+r"(sum), [value] "=&d"(value), [weight] "=&d"(weight), [x] "+x"(x),
            [w] "+z"(weights), [n] "+w"(n)
          :
          : "r0", "memory");
  return sum;
}

/* Magnitudes, since both roundings are symmetric but for ties of the first one. */
int32_t qcs_requantize(int32_t acc, int32_t multiplier, int8_t shift) {
  const uint8_t negative = acc < 0;
  uint32_t a = negative ? 0U - (uint32_t)acc : (uint32_t)acc;
  for (; shift > 0; shift--)
    a <<= 1;
  uint16_t al = (uint16_t)a, ah = (uint16_t)(a >> 16);
  uint16_t ml = (uint16_t)multiplier, mh = (uint16_t)((uint32_t)multiplier >> 16);
  __asm__("" : "+r"(al), "+r"(ah), "+r"(ml), "+r"(mh)); /* 16 bits each, the compiler must see */
  const uint32_t low = (uint32_t)al * ml, cross = (uint32_t)al * mh, other = (uint32_t)ah * ml;
  const uint32_t middle = (low >> 16) + (uint16_t)cross + (uint16_t)other;
  uint32_t value = (uint32_t)ah * mh + (cross >> 16) + (other >> 16) + (middle >> 16);
  /* value = a * multiplier / 2^32; now / 2^31, rounded by the bits below */
  const uint16_t top = (uint16_t)middle;
  const uint32_t rest = (uint32_t)(top & 0x7FFFU) << 16 | (uint16_t)low;
  value <<= 1;
  if (top & 0x8000U)
    value++;
  if ((int32_t)(rest + ((uint32_t)1 << 30) - negative) < 0)
    value++;
  if (shift < 0) {
    uint8_t right = (uint8_t)(-shift - 1);
    for (; right >= 8; right = (uint8_t)(right - 8U))
      value >>= 8;
    for (; right > 0; right--)
      value >>= 1;
    value = (value + 1U) >> 1;
  }
  return negative ? (int32_t)(0U - value) : (int32_t)value;
}

#endif
