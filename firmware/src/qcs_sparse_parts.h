/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sparse codec share. */
#ifndef QCS_SPARSE_PARTS_H
#define QCS_SPARSE_PARTS_H

#include "qcs_arith.h"
#include "qcs_sparse.h"

#if defined(__ARM_FEATURE_SIMD32) && !defined(QCS_PLAIN)
#define QCS_SPARSE_DSP 1
#include <arm_acle.h>
#else
#define QCS_SPARSE_DSP 0
#endif

/* a * b. On an AVR inlined: the library's takes twice as long. */
static inline int32_t qcs_sparse_product(int16_t a, int16_t b) {
#if QCS_AVR_KERNEL
  int32_t product;
  uint8_t zero = 0;
  __asm__("muls %B[a], %B[b]\n"
          "movw %C[p], r0\n"
          "mul %A[a], %A[b]\n"
          "movw %A[p], r0\n"
          "mulsu %B[a], %A[b]\n"
          "sbc %D[p], %[zero]\n"
          "add %B[p], r0\n"
          "adc %C[p], r1\n"
          "adc %D[p], %[zero]\n"
          "mulsu %B[b], %A[a]\n"
          "sbc %D[p], %[zero]\n"
          "add %B[p], r0\n"
          "adc %C[p], r1\n"
          "adc %D[p], %[zero]\n"
          "clr r1\n"
          : [p] "=&r"(product)
          : [a] "a"(a), [b] "a"(b), [zero] "r"(zero)
          : "r0");
  return product;
#else
  return (int32_t)a * b;
#endif
}

/* The word of cells: for each coefficient, how many of `levels` - 1 thresholds are <= it. */
uint32_t qcs_sparse_cells(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found,
                          const int16_t thresholds[], uint16_t levels);

#endif
