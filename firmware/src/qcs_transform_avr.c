/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of the transform codec on an AVR. */
#include "qcs_transform_parts.h"

#ifdef __AVR__

/* sum += *weights * *v modulo 2^32, `left` times, left > 0: seven byte products, then v * 2^16 is
 * taken off where the weight is negative. */
static __attribute__((noinline)) int32_t dot(const int16_t *weights, const int32_t v[],
                                             uint16_t left) {
  int32_t sum = 0, x;
  int16_t weight;
  uint8_t zero;
  __asm__("clr %[zero]\n"
          "1: ld %A[x], %a[v]+\n"
          "ld %B[x], %a[v]+\n"
          "ld %C[x], %a[v]+\n"
          "ld %D[x], %a[v]+\n"
          "lpm %A[w], %a[z]+\n"
          "lpm %B[w], %a[z]+\n"
          "sbrs %B[w], 7\n"
          "rjmp 2f\n"
          "sub %C[sum], %A[x]\n"
          "sbc %D[sum], %B[x]\n"
          "2: mul %A[w], %A[x]\n"
          "add %A[sum], r0\n"
          "adc %B[sum], r1\n"
          "adc %C[sum], %[zero]\n"
          "adc %D[sum], %[zero]\n"
          "mul %A[w], %B[x]\n"
          "add %B[sum], r0\n"
          "adc %C[sum], r1\n"
          "adc %D[sum], %[zero]\n"
          "mul %B[w], %A[x]\n"
          "add %B[sum], r0\n"
          "adc %C[sum], r1\n"
          "adc %D[sum], %[zero]\n"
          "mul %A[w], %C[x]\n"
          "add %C[sum], r0\n"
          "adc %D[sum], r1\n"
          "mul %B[w], %B[x]\n"
          "add %C[sum], r0\n"
          "adc %D[sum], r1\n"
          "mul %A[w], %D[x]\n"
          "add %D[sum], r0\n"
          "mul %B[w], %C[x]\n"
          "add %D[sum], r0\n"
          "subi %A[left], 1\n"
          "sbci %B[left], 0\n"
          "brne 1b\n"
          "clr r1\n"
          : [sum] "+r"(sum), [x] "=&r"(x), [w] "=&r"(weight), [zero] "=&r"(zero), [v] "+x"(v),
            [z] "+z"(weights), [left] "+d"(left)
          :
          : "r0", "memory");
  return sum;
}

void qcs_transform_block(qcs_transform_block_t *block, const int32_t v[]) {
  for (uint16_t i = 0; i < block->rows; i++) {
    block->sums[qcs_rom_u16(block->positions++)] = dot(block->weights, v, block->half);
    block->weights += block->half;
  }
}

#endif
