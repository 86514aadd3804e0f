/* Sums of products of the wide encoder, one signature: plain C defines them, the kernel of an
 * instruction set sits behind the compiler's feature macro (qcs_layout.h). All read the same
 * tables.
 *
 * Precondition, proved by the exporter: every partial sum of a row fits int32. */
#ifndef QCS_WIDE_KERNELS_H
#define QCS_WIDE_KERNELS_H

#include "qcs_layout.h"

#include <stdint.h>

/* Rows that share one pass over x. */
#define QCS_WIDE_ROWS 4U

/* sums[i] = sum of rows[i * n + j] * x[j], j = 0 .. n - 1, n > 0, for i < min(left, QCS_WIDE_ROWS);
 * rows in flash. */
void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]);

#endif
