/* Runs many models on one core: for each, the given vectors, then pseudo-random ones; prints a
 * hash of all packed bytes. qcskit.firmware_sim.cores generates qcs_checks[] and compares. */
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
  static uint8_t packed[QCS_CHECK_PACKED_BYTES];
  static uint32_t scratch[QCS_CHECK_SCRATCH_BYTES / 4U + 1U];
  static int8_t x[QCS_CHECK_INPUTS];
  const qcs_codec_t *const codec = check->codec;
  uint32_t hash = 2166136261U, state = check->seed;
  for (uint32_t i = 0; i < check->given; i++) {
    codec->encode(codec, QCS_INPUT_INT8, check->vectors + i * codec->inputs, packed, scratch);
    hash = hash_bytes(hash, packed, codec->packed_bytes);
  }
  for (uint32_t i = 0; i < check->random; i++) {
    for (uint32_t j = 0; j < codec->inputs; j++) { /* xorshift32 */
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      x[j] = (int8_t)(state >> 24);
    }
    codec->encode(codec, QCS_INPUT_INT8, x, packed, scratch);
    hash = hash_bytes(hash, packed, codec->packed_bytes);
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
