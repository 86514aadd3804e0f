/* SPDX-License-Identifier: Apache-2.0 */
/* Runs many models on one core: for each, the given vectors, then pseudo-random ones; prints a
 * hash of all packed bytes, or what an encode overran. tests/support/cores.py generates
 * qcs_checks[] and compares. */
#include "qcs_kernel_check.h"

#include <string.h>

#include "qcs_check_port.h"
#include "qcs_guard.h"

static void print_hash(uint32_t value) {
  char text[10];
  for (unsigned i = 0; i < 8; i++)
    text[i] = "0123456789abcdef"[(value >> (28U - 4U * i)) & 15U];
  text[8] = '\n';
  text[9] = '\0';
  qcs_check_print(text);
}

static void print_overrun(uint8_t overrun) {
  char text[] = "overrun=0\n";
  text[8] = (char)(text[8] + overrun);
  qcs_check_print(text);
}

/* FNV-1a, 32 bits. */
static uint32_t hash_bytes(uint32_t hash, const uint8_t bytes[], uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    hash = (hash ^ bytes[i]) * 16777619U;
  return hash;
}

/* Fills x[inputs] of `type`, little-endian; returns the state after it. */
static uint32_t draw(uint32_t state, uint16_t inputs, uint8_t type, uint8_t x[]) {
  for (uint32_t j = 0; j < inputs; j++) { /* xorshift32 */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    if (type == QCS_INPUT_COUNTS)
      *x++ = (uint8_t)(state >> 16);
    *x++ = (uint8_t)(state >> 24);
  }
  return state;
}

static void run(const qcs_check_t *check) {
  static _Alignas(4) uint8_t room[2U + 2U * QCS_CHECK_MOST_INPUTS];
  const qcs_codec_t *const codec = check->codec;
  const uint8_t type = check->input_type;
  const uint32_t size = type == QCS_INPUT_COUNTS ? 2U : 1U;
  uint8_t *const x = room + size; /* aligned to its entries, no better */
  const uint32_t bytes = size * codec->inputs;
  uint32_t hash = 2166136261U, state = check->seed;
  for (uint32_t i = 0; i < check->given + check->random; i++) {
    if (i < check->given)
      memcpy(x, (const uint8_t *)check->vectors + i * bytes, bytes);
    else
      state = draw(state, codec->inputs, type, x);
    const qcs_guarded_t out = qcs_guarded_encode(codec, check->scratch_bytes, type, x);
    if (out.overrun != QCS_GUARD_FINE) {
      print_overrun(out.overrun);
      return;
    }
    hash = hash_bytes(hash, out.packed, out.length);
  }
  print_hash(hash);
}

int main(void);
int main(void) {
  qcs_check_start();
  for (uint32_t i = 0; i < qcs_check_count; i++)
    run(&qcs_checks[i]);
  qcs_check_exit(0);
  return 0;
}
