/* SPDX-License-Identifier: Apache-2.0 */
/* Layers for Armv6-M, Armv7-M without DSP and RV32: one multiplication for two rows.
 *
 * Derivation and layout of the tables: codec/qcskit/codec/learned/kernels/pair.py. A word holds the
 * weights of two rows, a + 2^16 b; over two columns W0 x0 + W1 x1 = A + 2^16 B with |A|, |B| <
 * 2^15, so that B is that sum / 2^16, rounded. T adds up the sums, U the B: accumulators T - 2^16 U
 * and U. On Arm ASRS leaves the bit to round by in the carry, which ADCS adds. Bit-exact with
 * qcs_int8_dense.c. */
#include "qcs_int8_kernels.h"

#if QCS_LAYOUT == QCS_LAYOUT_PAIR

#define HEAD_WIDE 1U /* requantization needs 64 bits */

#define ROWS 4U
#define GROUP_WORDS(pairs) (4U + 4U * (pairs))

#ifdef __thumb__

/* What sums_of_rows loops over. */
typedef struct {
  const qcs_int8_act_t *x_end; /* behind the last pair of columns */
  const qcs_int8_act_t *y_end; /* behind the last group of rows */
  uint32_t skip;               /* bytes of unrolled code left out in the first round */
} shape_t;

/* Unrolled code of sums_of_rows: CHUNKS pairs of columns, CHUNK_BYTES each. */
#define CHUNKS 8
#define CHUNK_BYTES 30U
#define STRING(macro) STRING_OF(macro)
#define STRING_OF(text) #text

/* clang-format off */
/* Two columns of four rows: r4, r5 = x. T of the two pairs of rows in r8, r9, U in r6, r7. */
#define CHUNK                                                                                      \
  "ldmia r1!, {r4, r5}\n"                                                                          \
  "ldmia r0!, {r2, r3}\n"                                                                          \
  "muls r2, r4, r2\n"                                                                              \
  "muls r3, r5, r3\n"                                                                              \
  "adds r2, r2, r3\n"                                                                              \
  "add r8, r2\n"                                                                                   \
  "asrs r2, r2, #16\n"                                                                             \
  "adcs r6, r2\n"                                                                                  \
  "ldmia r0!, {r2, r3}\n"                                                                          \
  "muls r2, r4, r2\n"                                                                              \
  "muls r3, r5, r3\n"                                                                              \
  "adds r2, r2, r3\n"                                                                              \
  "add r9, r2\n"                                                                                   \
  "asrs r2, r2, #16\n"                                                                             \
  "adcs r7, r2\n"

/* y = accumulators of all rows, in groups of four; returns the end of the groups' words. Thumb-1 only.
 * r0 words, r1 x, r8 T, r9 T', r6 U, r7 U', r10 first x, r11 end of x, r12 entry, lr y, [sp] end of y */
__attribute__((naked, noinline)) static const uint32_t *
sums_of_rows(__attribute__((unused)) const qcs_int8_act_t *x, __attribute__((unused)) qcs_int8_act_t *y,
             __attribute__((unused)) const uint32_t *words,
             __attribute__((unused)) const shape_t *shape) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "mov r4, r8\n"
      "mov r5, r9\n"
      "mov r6, r10\n"
      "mov r7, r11\n"
      "push {r4-r7}\n"
      "ldmia r3!, {r4, r5, r6}\n"
      "push {r5}\n"
      "mov r11, r4\n"
      "mov r10, r0\n"
      "mov lr, r1\n"
      "adr r3, 20f\n"
      "adds r3, r3, r6\n"
      "mov r12, r3\n"
      "mov r0, r2\n"
      "b 10f\n"
      ".p2align 2\n"
      "20: .rept " STRING(CHUNKS) "\n" CHUNK ".endr\n"
      "cmp r1, r11\n"
      "bne 20b\n"
      "lsls r2, r6, #16\n"
      "mov r3, r8\n"
      "subs r2, r3, r2\n"
      "mov r3, r6\n"
      "lsls r4, r7, #16\n"
      "mov r5, r9\n"
      "subs r4, r5, r4\n"
      "mov r5, r7\n"
      "mov r1, lr\n"
      "stmia r1!, {r2-r5}\n"
      "mov lr, r1\n"
      "ldr r2, [sp]\n"
      "cmp r1, r2\n"
      "beq 30f\n"
      "10: ldmia r0!, {r2, r3, r6, r7}\n"
      "mov r8, r2\n"
      "mov r9, r3\n"
      "mov r1, r10\n"
      "mov pc, r12\n"
      "30: pop {r1, r4-r7}\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "mov r10, r6\n"
      "mov r11, r7\n"
      "pop {r4-r7, pc}\n");
}

/* y[i] = table[clamp(round(acc * M / 2^31, then / 2^right) + offset)] in place, until end; |acc| < 2^20.
 * ASRS leaves the bit to round by in the carry. r0 constants, r1 y, r12 end, r6 offset, r7 table */
__attribute__((naked, noinline)) static void
requantize_rows(__attribute__((unused)) qcs_int8_act_t *y, __attribute__((unused)) const qcs_int8_act_t *end,
                __attribute__((unused)) const uint32_t *constants,
                __attribute__((unused)) const int8_t *table,
                __attribute__((unused)) int32_t offset) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "ldr r6, [sp, #20]\n"
      "mov r12, r1\n"
      "mov r1, r0\n"
      "mov r0, r2\n"
      "mov r7, r3\n"
      "1: ldmia r0!, {r4, r5}\n"
      "ldr r2, [r1]\n"
      "uxth r3, r4\n"
      "muls r3, r2, r3\n"
      "asrs r3, r3, #10\n"
      "lsrs r4, r4, #16\n"
      "muls r4, r2, r4\n"
      "adds r4, r4, r3\n"
      "asrs r4, r4, #11\n"
      "lsrs r3, r5, #8\n"
      "muls r3, r2, r3\n"
      "adds r3, r3, r4\n"
      "asrs r2, r2, #31\n"
      "asrs r3, r3, #10\n"
      "adcs r3, r2\n"
      "asrs r3, r5\n"      /* by the low byte of r5 */
      "adcs r3, r6\n"
      "lsrs r4, r3, #8\n"
      "bne 3f\n"
      "2: ldrsb r3, [r7, r3]\n"
      "stmia r1!, {r3}\n"
      "cmp r1, r12\n"
      "bne 1b\n"
      "pop {r4-r7, pc}\n"
      "3: asrs r3, r3, #31\n"
      "mvns r3, r3\n"
      "uxtb r3, r3\n"
      "b 2b\n");
}
/* clang-format on */

/* y = accumulators of `rows` rows, rounded up to whole groups; returns the end of the groups'
 * words. */
static const uint32_t *sums(const qcs_int8_act_t x[], uint32_t columns, qcs_int8_act_t y[],
                            uint32_t rows, const uint32_t *words) {
  const uint32_t pairs = (columns + 1U) / 2U;
  const shape_t shape = {x + 2U * pairs, y + ((rows + ROWS - 1U) & ~(ROWS - 1U)),
                         (-pairs & (CHUNKS - 1U)) * CHUNK_BYTES};
  return sums_of_rows(x, y, words, &shape);
}

#else

/* Two columns of two rows: adds to T and U. Unsigned, so that T wraps. */
static inline void add_pair(const uint32_t w[2], uint32_t x0, uint32_t x1, uint32_t *t,
                            uint32_t *u) {
  const uint32_t p = w[0] * x0 + w[1] * x1;
  *t += p;
  *u += (uint32_t)((int32_t)(p + 0x8000U) >> 16);
}

static const uint32_t *sums(const qcs_int8_act_t x[], uint32_t columns, qcs_int8_act_t y[],
                            uint32_t rows, const uint32_t *words) {
  const qcs_int8_act_t *const x_end = x + ((columns + 1U) & ~1U);
  const qcs_int8_act_t *const y_end = y + rows;
  for (; y < y_end; y += ROWS) {
    uint32_t t0 = words[0], t1 = words[1], u0 = words[2], u1 = words[3];
    words += 4;
#pragma GCC unroll 2
    for (const qcs_int8_act_t *pair = x; pair != x_end; pair += 2, words += 4) {
      const uint32_t x0 = (uint32_t)pair[0], x1 = (uint32_t)pair[1];
      add_pair(words, x0, x1, &t0, &u0);
      add_pair(words + 2, x0, x1, &t1, &u1);
    }
    y[0] = (qcs_int8_act_t)(t0 - (u0 << 16));
    y[1] = (qcs_int8_act_t)u0;
    y[2] = (qcs_int8_act_t)(t1 - (u1 << 16));
    y[3] = (qcs_int8_act_t)u1;
  }
  return words;
}

/* The same as the assembly above. The low bits of constants[1], right, are what shifts take. */
static void requantize_rows(qcs_int8_act_t *y, const qcs_int8_act_t *end, const uint32_t *constants,
                            const int8_t *table, int32_t offset) {
  for (; y != end; y++, constants += 2) {
    const int32_t acc = *y;
    const uint32_t low = constants[0], high = constants[1];
    int32_t v = acc * (int32_t)(low & 0x3FFU) >> 10;
    v = (v + acc * (int32_t)(low >> 16)) >> 11;
    v = (v + acc * (int32_t)(high >> 8) + (1 << 9)) >> 10; /* = round(acc * M / 2^31) */
    v = (((v + (acc >> 31)) >> ((high & 31U) - 1U)) + 1) >> 1;
    const int32_t place = v + offset;
    *y = table[place < 0 ? 0 : place > 255 ? 255 : place];
  }
}

#endif

/* The same as requantize_rows, for any accumulator and shift. */
static void requantize_wide(const qcs_int8_layer_t *layer, const uint32_t *constants,
                            qcs_int8_act_t y[]) {
  for (uint16_t i = 0; i < layer->outputs; i++, constants += 2) {
    const uint32_t low = constants[0], high = constants[1];
    const int32_t multiplier = (int32_t)((high >> 8) << 21 | (low >> 16) << 10 | (low & 0x3FFU));
    const int32_t scaled = qcs_requantize(y[i], multiplier, (int8_t)-(int8_t)(uint8_t)high);
    y[i] = layer->activation[qcs_int8_to_grid(scaled, layer->zero_point) + 128];
  }
}

void qcs_int8_dense_step(const qcs_int8_layer_t *layer, const qcs_int8_act_t x[],
                         qcs_int8_act_t y[]) {
  const uint32_t *const constants = sums(x, layer->inputs, y, layer->outputs, layer->stream + 1);
  if (layer->stream[0] & HEAD_WIDE)
    requantize_wide(layer, constants, y);
  else
    requantize_rows(y, y + layer->outputs, constants, layer->activation, 128 + layer->zero_point);
}

void qcs_int8_last_step(const qcs_int8_model_t *model, uint16_t inputs, const qcs_int8_act_t x[],
                        uint8_t packed[], qcs_int8_act_t spare[]) {
  const uint32_t steps = model->levels - 1U;
  const uint32_t bits = model->group_symbols == 1 ? model->group_bits : 8U;
  const int32_t *thresholds =
      (const int32_t *)(const void *)sums(x, inputs, spare, model->outputs, model->stream);
  /* Words of four indices go where accumulators were read. */
  uint32_t *const words = (uint32_t *)(void *)spare;
  const int32_t *const end = spare + model->outputs;
  for (uint32_t *word = words; spare < end; word++) {
    uint32_t four = 0;
    for (uint32_t place = 0; place != 4U * bits && spare < end; place += bits) {
      four |= (uint32_t)qcs_count_reached(thresholds, steps, *spare++) << place;
      thresholds += steps;
    }
    *word = four;
  }
  model->pack(model, words, packed);
}

void qcs_int8_widen(uint16_t n, const int8_t x[], qcs_int8_act_t wide[]) {
  for (uint16_t i = 0; i < n; i++)
    wide[i] = x[i];
  if (n & 1U)
    wide[n] = 0; /* completes the last pair of columns */
}

#endif
