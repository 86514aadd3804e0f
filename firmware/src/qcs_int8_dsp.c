/* SPDX-License-Identifier: Apache-2.0 */
/* Layers for Armv7E-M and Armv8-M with the DSP extension: four rows in three chained sums.
 *
 * Derivation and layout of the tables: codec/qcskit/codec/learned/kernels/dsp.py. Rows a, b, c, d
 * give L1 = A + 256 B, L2 = B + 256 C, L3 = C + 256 D by SMLAD; the low 24 bits of L1 - 256 L2 +
 * 2^16 L3 are A, then B, C and D follow. Inputs of hidden layers are int16 and doubled, so that
 * accumulators are 2 * acc, which SMMLAR rounds as qcs_requantize does. Bit-exact with
 * qcs_int8_dense.c. */
#include "qcs_int8_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_DSP

/* Unrolled code of dsp_rows: CHUNKS chunks of two pairs of columns, CHUNK_BYTES each; the tables
 * hold the product (codec/qcskit/codec/learned/kernels/dsp.py). */
#define CHUNKS 5
#define STRING(macro) STRING_OF(macro)
#define STRING_OF(text) #text
#define CHUNK_BYTES 32

/* What a stream of tables starts with. */
typedef struct {
  uint32_t size;   /* last layer: words that follow this head; hidden layer: groups of rows */
  uint32_t flags;  /* below */
  uint32_t rounds; /* of the unrolled code */
  uint32_t skip;   /* bytes of code left out in the first round, + 1 as code addresses are odd */
  uint32_t steps;  /* last layer: thresholds per row, a multiple of 3; else 0 */
} head_t;

#define FLAG_ODD 1U    /* a single pair of columns comes first */
#define FLAG_SMALL 2U  /* exactly five pairs: code of their own */
#define FLAG_DOUBLE 4U /* the next layer is hidden, too: it wants activations doubled */

/* clang-format off */
#define CHUNK                                                                                      \
  "ldmia.w r1!, {r10, r11}\n"                                                                      \
  "ldmia.w r0!, {r4-r9}\n"                                                                         \
  "smlad r2, r4, r10, r2\n"                                                                        \
  "smlad r3, r5, r10, r3\n"                                                                        \
  "smlad lr, r6, r10, lr\n"                                                                        \
  "smlad r2, r7, r11, r2\n"                                                                        \
  "smlad r3, r8, r11, r3\n"                                                                        \
  "smlad lr, r9, r11, lr\n"

/* r2 = table: row = table[usat8((round(row * m / 2^32) - (row < 0) + c) >> right)] */
#define REQUANTIZE(row, m, c, right)                                                               \
  "add r3, " c ", " row ", asr #31\n"                                                              \
  "smmlar " row ", " row ", " m ", r3\n"                                                           \
  "asr " row ", " row ", " right "\n"                                                              \
  "usat " row ", #8, " row "\n"                                                                    \
  "ldrsb " row ", [r2, " row "]\n"

/* index = r8 + the sum of the signs of row - threshold over r8 thresholds */
#define COUNT(row, index)                                                                          \
  "mov lr, r8\n"                                                                                   \
  "mov " index ", r8\n"                                                                            \
  "1: ldmia r0!, {r1, r2, r3}\n"                                                                   \
  "subs lr, #3\n"                                                                                  \
  "sub r1, " row ", r1\n"                                                                          \
  "add " index ", " index ", r1, asr #31\n"                                                        \
  "sub r2, " row ", r2\n"                                                                          \
  "add " index ", " index ", r2, asr #31\n"                                                        \
  "sub r3, " row ", r3\n"                                                                          \
  "add " index ", " index ", r3, asr #31\n"                                                        \
  "bne 1b\n"

/* All groups of four rows of a layer. y: four activations or one word of four indices per group, written.
 * table: activations + 128; or, last layer, bits between indices in a word. Frame, from sp: x, rounds, entry, chunks, y,
 * table, end of stream, epilogue, steps. */
__attribute__((naked, noinline)) static void
dsp_rows(__attribute__((unused)) const void *x, __attribute__((unused)) void *y,
           __attribute__((unused)) const uint32_t *stream, __attribute__((unused)) uintptr_t table) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldmia r2!, {r4-r7, r11}\n"      /* size, flags, rounds, skip, steps */
      "add.w r8, r2, r4, lsl #2\n"    /* end */
      "adr.w r9, 30f\n"
      "add.w r4, r9, r7\n"            /* chunks */
      "mov r9, r4\n"                  /* entry */
      "tst r5, #3\n"
      "beq 5f\n"
      "tst r5, #1\n"
      "ite ne\n"
      "adrne.w r9, 20f + 1\n"
      "adreq.w r9, 40f + 1\n"
      "5: cmp.w r11, #0\n"
      "ite eq\n"
      "adreq.w r10, 50f + 1\n"
      "adrne.w r10, 60f + 1\n"
      "push {r10, r11}\n"             /* epilogue, steps */
      "push {r1, r3, r8}\n"           /* y, table, end */
      "push {r4}\n"                   /* chunks */
      "push {r6, r9}\n"               /* rounds, entry */
      "push {r0}\n"                   /* x */
      "mov r0, r2\n"
      ".p2align 2\n"
      "10: ldmia r0!, {r2, r3, lr}\n"
      "ldm sp, {r1, r12, pc}\n"
      ".p2align 2\n"
      "20: ldr r10, [r1], #4\n"
      "ldmia r0!, {r4, r5, r6}\n"
      "smlad r2, r4, r10, r2\n"
      "smlad r3, r5, r10, r3\n"
      "smlad lr, r6, r10, lr\n"
      "ldr pc, [sp, #12]\n"
      ".p2align 2\n"
      "30: .rept " STRING(CHUNKS) "\n" CHUNK ".endr\n"
      "subs r12, #1\n"
      "bne 30b\n"
      "b 35f\n"
      ".p2align 2\n"
      "40: ldm r1, {r4-r8}\n"         /* five pairs of columns */
      "ldmia r0!, {r1, r9-r12}\n"
      "smlad r2, r1, r4, r2\n"
      "smlad r3, r9, r4, r3\n"
      "smlad lr, r10, r4, lr\n"
      "smlad r2, r11, r5, r2\n"
      "smlad r3, r12, r5, r3\n"
      "ldmia r0!, {r1, r9-r12}\n"
      "smlad lr, r1, r5, lr\n"
      "smlad r2, r9, r6, r2\n"
      "smlad r3, r10, r6, r3\n"
      "smlad lr, r11, r6, lr\n"
      "smlad r2, r12, r7, r2\n"
      "ldmia r0!, {r1, r9-r12}\n"
      "smlad r3, r1, r7, r3\n"
      "smlad lr, r9, r7, lr\n"
      "smlad r2, r10, r8, r2\n"
      "smlad r3, r11, r8, r3\n"
      "smlad lr, r12, r8, lr\n"
      "35: sub r4, r2, r3, lsl #8\n"  /* A, B, C, D in r4 - r7 */
      "add r4, r4, lr, lsl #16\n"
      "sbfx r4, r4, #0, #24\n"
      "subs r2, r2, r4\n"
      "asrs r5, r2, #8\n"
      "subs r3, r3, r5\n"
      "asrs r6, r3, #8\n"
      "sub lr, lr, r6\n"
      "asr r7, lr, #8\n"
      "ldr pc, [sp, #28]\n"
      ".p2align 2\n"
      "50: ldrd r1, r2, [sp, #16]\n"  /* hidden layer */
      "ldmia r0!, {r8-r11}\n"
      REQUANTIZE("r4", "r8", "r10", "r11") REQUANTIZE("r5", "r9", "r10", "r11")
      "ldmia r0!, {r8-r11}\n"
      REQUANTIZE("r6", "r8", "r10", "r11") REQUANTIZE("r7", "r9", "r10", "r11")
      "pkhbt r4, r4, r5, lsl #16\n"
      "pkhbt r6, r6, r7, lsl #16\n"
      "strd r4, r6, [r1], #8\n"
      "str r1, [sp, #16]\n"
      "cmp r11, #256\n"              /* set in the last group; shifts take the low byte */
      "blo 10b\n"
      "55: add sp, #36\n"
      "pop {r4-r11, pc}\n"
      ".p2align 2\n"
      "60: ldr r8, [sp, #32]\n"       /* last layer */
      COUNT("r4", "r9") COUNT("r5", "r10") COUNT("r6", "r11") COUNT("r7", "r12")
      "ldrd r1, r2, [sp, #16]\n"
      "ldr r3, [sp, #24]\n"
      "lsl r12, r12, r2\n"
      "add r12, r11\n"
      "lsl r12, r12, r2\n"
      "add r12, r10\n"
      "lsl r12, r12, r2\n"
      "add r12, r9\n"
      "str r12, [r1], #4\n"
      "str r1, [sp, #16]\n"
      "cmp r0, r3\n"
      "bne 10b\n"
      "b 55b\n");
}
/* clang-format on */

static uint32_t doubled(uint32_t two_halfwords) {
  uint32_t sum;
  __asm__("sadd16 %0, %1, %1" : "=r"(sum) : "r"(two_halfwords));
  return sum;
}

void qcs_int8_dense_step(const qcs_int8_layer_t *layer, const qcs_int8_act_t x[],
                         qcs_int8_act_t y[]) {
  const head_t *const head = (const head_t *)(const void *)layer->stream;
  dsp_rows(x, y, layer->stream, (uintptr_t)layer->activation);
  if (head->flags & FLAG_DOUBLE) {
    uint32_t *pair = (uint32_t *)(void *)y;
    for (uint32_t i = head->size; i > 0; i--, pair += 2) {
      pair[0] = doubled(pair[0]);
      pair[1] = doubled(pair[1]);
    }
  }
}

void qcs_int8_last_step(const qcs_int8_model_t *model, uint16_t inputs, const qcs_int8_act_t x[],
                        uint8_t packed[], qcs_int8_act_t spare[]) {
  uint32_t *const words = (uint32_t *)(void *)spare;
  (void)inputs;
  dsp_rows(x, words, model->stream, model->group_symbols == 1 ? model->group_bits : 8U);
  model->pack(model, words, packed);
}

/* Four bytes from anywhere. */
typedef struct __attribute__((packed)) {
  uint32_t bytes;
} unaligned_t;

void qcs_int8_widen(uint16_t n, const int8_t x[], qcs_int8_act_t wide[]) {
  uint32_t *out = (uint32_t *)(void *)wide;
  for (uint32_t fours = n >> 2; fours > 0; fours--) {
    const uint32_t four = ((const unaligned_t *)(const void *)x)->bytes;
    uint32_t even, odd;
    __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(four));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
    even = doubled(even);
    odd = doubled(odd);
    __asm__ volatile("strd %1, %2, [%0], #8" : "+r"(out) : "r"(even), "r"(odd) : "memory");
    x += 4;
  }
  if (n & 2U) {
    *out++ = (uint32_t)(2 * x[1]) << 16 | ((uint32_t)(2 * x[0]) & 0xFFFFU);
    x += 2;
  }
  if (n & 1U)
    *out = (uint32_t)(2 * x[0]) & 0xFFFFU;
}

#endif
