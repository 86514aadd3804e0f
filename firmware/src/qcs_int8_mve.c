/* SPDX-License-Identifier: Apache-2.0 */
/* Layers for Armv8.1-M with MVE (Cortex-M55, M85): four rows at a time, 16 products per VMLADAVA,
 * requantization, activation and quantizer in vectors. Layout of the tables:
 * codec/qcskit/codec/learned/kernels/mve.py. Bit-exact with qcs_int8_dense.c. */
#include "qcs_int8_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_MVE

/* clang-format off */
/* 16 columns of four rows, x in q. Two vectors of weights in turn, so that loads overlap. */
#define CHUNK(q)                                                                                   \
  "vldrb.8 q5, [r0], #16\n"                                                                        \
  "vmladava.s8 r2, " q ", q5\n"                                                                    \
  "vldrb.8 q6, [r0], #16\n"                                                                        \
  "vmladava.s8 r4, " q ", q6\n"                                                                    \
  "vldrb.8 q5, [r0], #16\n"                                                                        \
  "vmladava.s8 r6, " q ", q5\n"                                                                    \
  "vldrb.8 q6, [r0], #16\n"                                                                        \
  "vmladava.s8 r8, " q ", q6\n"

/* All groups of four rows of a layer. y: four activations, or one word of four indices, per group.
 * table: activations + 128. Registers: r0 stream, r3 table or bit positions, r5 y, r7 x, r9 code
 * that sums up, r10 thresholds per row or, hidden layer, zero point, r11 groups left, r12 code that follows. */
__attribute__((naked, noinline)) static void
rows_of_layer(__attribute__((unused)) const int8_t *x, __attribute__((unused)) void *y,
              __attribute__((unused)) const uint32_t *stream,
              __attribute__((unused)) const int8_t *table) {
  __asm__ volatile(
      "push {r4-r12, lr}\n"
      "vpush {d8-d15}\n"
      "mov r7, r0\n"
      "mov r5, r1\n"
      "mov r0, r2\n"
      "ldmia r0!, {r8-r11}\n"         /* chunks, thresholds, groups, zero point */
      "mov lr, r11\n"
      "mov r11, r10\n"
      "mov r10, r9\n"
      "cmp r10, #0\n"
      "ittee eq\n"
      "adreq.w r12, 50f\n"
      "moveq r10, lr\n"
      "adrne.w r12, 60f\n"
      "movne r3, r0\n"
      "adds r12, #1\n"
      "adds r0, #16\n"
      "push {r8}\n"
      "adr.w r9, 40f\n"
      "cmp r8, #5\n"
      "bhi 5f\n"
      "rsb r8, r8, #5\n"
      "adr.w r1, 4f\n"
      "add r1, r1, r8, lsl #2\n"
      "adr.w r9, 20f\n"
      "add r9, r9, r8, lsl #5\n"
      "adds r1, #1\n"
      "bx r1\n"
      ".p2align 2\n"
      "4: vldrb.8 q4, [r7, #64]\n"    /* up to 80 inputs stay in registers */
      "vldrb.8 q3, [r7, #48]\n"
      "vldrb.8 q2, [r7, #32]\n"
      "vldrb.8 q1, [r7, #16]\n"
      "vldrb.8 q0, [r7]\n"
      "5: adds r9, #1\n"
      ".p2align 2\n"
      "10: ldmia r0!, {r2, r4, r6, r8}\n" /* biases */
      "bx r9\n"
      ".p2align 2\n"
      "20:\n" CHUNK("q4") CHUNK("q3") CHUNK("q2") CHUNK("q1") CHUNK("q0")
      "30: vmov q5[2], q5[0], r2, r6\n"
      "vmov q5[3], q5[1], r4, r8\n"
      "bx r12\n"
      ".p2align 2\n"
      "40: ldr r1, [sp]\n"
      "dls lr, r1\n"
      "mov r1, r7\n"
      "41: vldrb.8 q0, [r1], #16\n"
      CHUNK("q0")
      "le lr, 41b\n"
      "b 30b\n"
      ".p2align 2\n"
      "50: vldrw.32 q6, [r0], #16\n"  /* hidden layer: requantize, saturate to int8, look up */
      "vqrdmulh.s32 q5, q5, q6\n"
      "vldrw.32 q7, [r0], #16\n"
      "vshr.s32 q6, q5, #31\n"
      "vadd.i32 q5, q5, q6\n"
      "vrshl.s32 q5, q5, q7\n"
      "vadd.i32 q5, q5, r10\n"
      "vqshl.s32 q5, q5, #24\n"
      "vshr.s32 q5, q5, #24\n"
      "vldrb.s32 q6, [r3, q5]\n"
      "subs r11, #1\n"
      "vstrb.32 q6, [r5], #4\n"
      "bne 10b\n"
      "55: add sp, #4\n"
      "vpop {d8-d15}\n"
      "pop {r4-r12, pc}\n"
      ".p2align 2\n"
      "60: vmov.i32 q7, #0\n"         /* last layer: count thresholds, place the bits */
      "mov r1, r10\n"
      "movs r2, #1\n"
      "61: vldrw.32 q6, [r0], #16\n"
      "vpt.s32 ge, q5, q6\n"
      "vaddt.i32 q7, q7, r2\n"
      "subs r1, #1\n"
      "bne 61b\n"
      "vldrw.32 q6, [r3]\n"
      "vshl.u32 q7, q7, q6\n"
      "vaddv.u32 r2, q7\n"
      "subs r11, #1\n"
      "str r2, [r5], #4\n"
      "bne 10b\n"
      "b 55b\n");
}
/* clang-format on */

void qcs_int8_dense_step(const qcs_int8_layer_t *layer, const qcs_int8_act_t x[],
                         qcs_int8_act_t y[]) {
  rows_of_layer(x, y, layer->stream, layer->activation + 128);
}

void qcs_int8_last_step(const qcs_int8_model_t *model, uint16_t inputs, const qcs_int8_act_t x[],
                        uint8_t packed[], qcs_int8_act_t spare[]) {
  uint32_t *const words = (uint32_t *)(void *)spare;
  (void)inputs;
  rows_of_layer(x, words, model->stream, 0);
  model->pack(model, words, packed);
}

void qcs_int8_widen(uint16_t n, const int8_t x[], qcs_int8_act_t wide[]) {
  __asm__ volatile("wlstp.8 lr, %2, 2f\n"
                   "1: vldrb.8 q0, [%0], #16\n"
                   "vstrb.8 q0, [%1], #16\n"
                   "letp lr, 1b\n"
                   "2:\n"
                   : "+r"(x), "+r"(wide)
                   : "r"((uint32_t)n)
                   : "q0", "lr", "cc", "memory");
}

#endif
