/* Sums of products of the wide encoder for Armv8.1-M with MVE: eight products per VMLADAVA, weights
 * widened by the load, x shared by four rows: 0.3 instructions per product. Equal to
 * qcs_wide_sums.c. */
#include "qcs_wide_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_MVE

void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]) {
  /* Rows that are not there repeat one that is. */
  const int8_t *first = rows, *second = left > 1 ? rows + n : rows;
  const int8_t *third = left > 2 ? second + n : rows, *fourth = left > 3 ? third + n : rows;
  int32_t a = 0, b = 0, c = 0, d = 0;
  __asm__ volatile("dlstp.16 lr, %[n]\n"
                   "1: vldrh.u16 q0, [%[x]], #16\n"
                   "vldrb.s16 q1, [%[first]], #8\n"
                   "vmladava.s16 %[a], q0, q1\n"
                   "vldrb.s16 q2, [%[second]], #8\n"
                   "vmladava.s16 %[b], q0, q2\n"
                   "vldrb.s16 q1, [%[third]], #8\n"
                   "vmladava.s16 %[c], q0, q1\n"
                   "vldrb.s16 q2, [%[fourth]], #8\n"
                   "vmladava.s16 %[d], q0, q2\n"
                   "letp lr, 1b\n"
                   : [x] "+r"(x), [first] "+r"(first), [second] "+r"(second), [third] "+r"(third),
                     [fourth] "+r"(fourth), [a] "+Te"(a), [b] "+Te"(b), [c] "+Te"(c), [d] "+Te"(d)
                   : [n] "r"((uint32_t)n)
                   : "q0", "q1", "q2", "lr", "cc", "memory");
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

#endif
