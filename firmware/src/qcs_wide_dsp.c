/* Sums of products of the wide encoder for Armv7E-M and Armv8-M with DSP: SXTB16 widens bytes 0, 2
 * and 1, 3 of four weights, SMLAD takes two products; two PKH bring x into that order once for four
 * rows. 1.4 instructions per product. Equal to qcs_wide_sums.c. */
#include "qcs_wide_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_CHAIN

/* Four bytes from anywhere. */
typedef struct __attribute__((packed)) {
  uint32_t bytes;
} word_t;

static inline uint32_t word(const void *p) { return ((const word_t *)p)->bytes; }

/* sum + two products of weights 0, 2 and 1, 3 with x. */
static inline int32_t plus(int32_t sum, uint32_t weights, uint32_t even, uint32_t odd) {
  uint32_t w;
  __asm__("sxtb16 %0, %1" : "=r"(w) : "r"(weights));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(w), "r"(even));
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(w) : "r"(weights));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(w), "r"(odd));
  return sum;
}

static void four_rows(const int8_t *row, const int16_t *x, uint32_t n, int32_t sums[4]) {
  const int8_t *other = row + 2U * n; /* rows 0, 1 and rows 2, 3 */
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (uint32_t fours = n >> 2; fours > 0; fours--, row += 4, other += 4, x += 4) {
    const uint32_t first = word(x), second = word(x + 2);
    uint32_t even, odd;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(even) : "r"(first), "r"(second));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(odd) : "r"(second), "r"(first));
    a = plus(a, word(row), even, odd);
    b = plus(b, word(row + n), even, odd);
    c = plus(c, word(other), even, odd);
    d = plus(d, word(other + n), even, odd);
  }
  for (uint32_t rest = n & 3U; rest > 0; rest--, row++, other++, x++) {
    a += row[0] * *x;
    b += row[n] * *x;
    c += other[0] * *x;
    d += other[n] * *x;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]) {
  if (left >= QCS_WIDE_ROWS) {
    four_rows(rows, x, n, sums);
    return;
  }
  for (uint16_t row = 0; row < left; row++) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
      sum += *rows++ * x[i];
    sums[row] = sum;
  }
}

#endif
