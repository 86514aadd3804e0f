/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of the int16 encoder for Armv7E-M and Armv8-M with DSP: SXTB16 widens bytes 0, 2
 * and 1, 3 of four weights, SMLAD takes two products; two PKH bring x into that order once for four
 * rows: 1.6 instructions per product. Words are loaded from any address. Equal to qcs_int16_sums.c.
 */
#include "qcs_int16_kernels.h"

#if QCS_INT16_DSP

/* clang-format off */
/* Four weights of a row, loaded into r11, times x in r9 and r10. */
#define FOUR(sum)                                                                                  \
  "sxtb16 r12, r11\n"                                                                              \
  "smlad " sum ", r12, r9, " sum "\n"                                                              \
  "sxtb16 r12, r11, ror #8\n"                                                                      \
  "smlad " sum ", r12, r10, " sum "\n"

/* Sums of rows `first`, first + stride, `third`, third + stride. r4 - r7 sums, r8 columns left, lr stride. */
__attribute__((naked, noinline)) static void
four_rows(__attribute__((unused)) const int8_t *first, __attribute__((unused)) const int8_t *third,
          __attribute__((unused)) const int16_t *x, __attribute__((unused)) uint32_t n,
          __attribute__((unused)) uint32_t stride, __attribute__((unused)) int32_t sums[4]) {
  __asm__ volatile(
      "push {r4-r12, lr}\n"
      "ldr lr, [sp, #40]\n"
      "movs r4, #0\n"
      "movs r5, #0\n"
      "movs r6, #0\n"
      "movs r7, #0\n"
      "subs r8, r3, #4\n"
      "blo 2f\n"
      "1: ldr r12, [r2], #4\n"
      "ldr r11, [r2], #4\n"
      "subs r8, #4\n"
      "pkhbt r9, r12, r11, lsl #16\n"
      "pkhtb r10, r11, r12, asr #16\n"
      "ldr r11, [r0, lr]\n" FOUR("r5")
      "ldr r11, [r0], #4\n" FOUR("r4")
      "ldr r11, [r1, lr]\n" FOUR("r7")
      "ldr r11, [r1], #4\n" FOUR("r6")
      "bhs 1b\n"
      "2: adds r8, #4\n"
      "beq 4f\n"
      "3: ldrsh r9, [r2], #2\n"
      "ldrsb r11, [r0, lr]\n"
      "smlabb r5, r11, r9, r5\n"
      "ldrsb r11, [r0], #1\n"
      "smlabb r4, r11, r9, r4\n"
      "ldrsb r11, [r1, lr]\n"
      "smlabb r7, r11, r9, r7\n"
      "ldrsb r11, [r1], #1\n"
      "smlabb r6, r11, r9, r6\n"
      "subs r8, #1\n"
      "bne 3b\n"
      "4: ldr r0, [sp, #44]\n"
      "stmia r0!, {r4-r7}\n"
      "pop {r4-r12, pc}\n");
}
/* clang-format on */

void qcs_int16_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                    int32_t sums[QCS_INT16_ROWS]) {
  const uint32_t stride = left > 1 ? n : 0;
  /* Rows that are not there repeat one that is. */
  const int8_t *const third = rows + (left >= 4 ? 2U * n : left == 3 ? n : 0U);
  four_rows(rows, third, x, n, stride, sums);
  if (left == 3)
    sums[2] = sums[3];
}

#endif
