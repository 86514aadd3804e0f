/* Runs many models on one core: for each, the given vectors, then pseudo-random ones; prints a
 * hash of all packed bytes. tests/support/cores.py generates qcs_checks[] and compares. */
#include "qcs_kernel_check.h"
#include "qcs_check_port.h"

static char text[24];

static void print_hash(uint32_t value) {
  for (unsigned i = 0; i < 8; i++)
    text[i] = "0123456789abcdef"[(value >> (28U - 4U * i)) & 15U];
  text[8] = '\n';
  text[9] = '\0';
  qcs_check_print(text);
}

/* FNV-1a, 32 bits. */
static uint32_t hash_bytes(uint32_t hash, const uint8_t bytes[], uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    hash = (hash ^ bytes[i]) * 16777619U;
  return hash;
}

static uint32_t run(const qcs_check_t *check) {
  static uint8_t packed[QCS_CHECK_MOST_PACKED_BYTES];
  static uint32_t scratch[QCS_CHECK_MOST_SCRATCH_BYTES / 4U + 1U];
  static union {
    int8_t bytes[QCS_CHECK_MOST_INPUTS];
    int16_t counts[QCS_CHECK_MOST_INPUTS];
  } x;
  const qcs_codec_t *const codec = check->codec;
  const uint8_t type = codec->input_types & QCS_INPUT_INT8 ? QCS_INPUT_INT8 : QCS_INPUT_COUNTS;
  const uint32_t stride = type == QCS_INPUT_INT8 ? codec->inputs : 2U * codec->inputs;
  uint32_t hash = 2166136261U, state = check->seed;
  for (uint32_t i = 0; i < check->given; i++) {
    const uint8_t *const vector = (const uint8_t *)check->vectors + i * stride;
    hash = hash_bytes(hash, packed, codec->encode(codec, type, vector, packed, scratch));
  }
  for (uint32_t i = 0; i < check->random; i++) {
    for (uint32_t j = 0; j < codec->inputs; j++) { /* xorshift32 */
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      if (type == QCS_INPUT_INT8)
        x.bytes[j] = (int8_t)(state >> 24);
      else
        x.counts[j] = (int16_t)(state >> 16);
    }
    hash = hash_bytes(hash, packed, codec->encode(codec, type, &x, packed, scratch));
  }
  return hash;
}

int main(void);
int main(void) {
  qcs_check_start();
  for (uint32_t i = 0; i < qcs_check_count; i++)
    print_hash(run(&qcs_checks[i]));
  qcs_check_exit(0);
  return 0;
}
