/* First difference, Rice code, raw escape. */
#include "qcs_toy.h"

enum { RAW = 16, QUIET = 17 };

/* Zigzag of count - before modulo 2^16: 0, -1, 1, -2 .. -> 0, 1, 2, 3 .. */
static uint16_t zigzag(uint16_t before, uint16_t count) {
  const uint16_t step = (uint16_t)(count - before);
  return (uint16_t)((uint16_t)(step << 1) ^ ((step & 0x8000U) != 0 ? 0xFFFFU : 0U));
}

/* Bits that the Rice code with parameter k takes. */
static uint32_t rice_bits(const qcs_toy_model_t *model, const int16_t counts[], uint8_t k) {
  uint32_t bits = (uint32_t)model->inputs * (1U + k);
  uint16_t before = (uint16_t)model->offset;
  for (uint16_t i = 0; i < model->inputs; i++) {
    bits += (uint32_t)(zigzag(before, (uint16_t)counts[i]) >> k);
    before = (uint16_t)counts[i];
  }
  return bits;
}

typedef struct {
  uint8_t *out; /* next byte */
  uint8_t byte; /* bits not yet in out */
  uint8_t held; /* how many, 0 .. 7 */
} bits_t;

static void put(bits_t *bits, unsigned bit) {
  bits->byte = (uint8_t)(bits->byte | bit << bits->held);
  bits->held++;
  if (bits->held == 8) {
    *bits->out++ = bits->byte;
    bits->byte = 0;
    bits->held = 0;
  }
}

static uint16_t encode_rice(const qcs_toy_model_t *model, const int16_t counts[], uint8_t k,
                            uint8_t packed[]) {
  bits_t bits = {.out = packed + 1, .byte = 0, .held = 0};
  uint16_t before = (uint16_t)model->offset;
  packed[0] = k;
  for (uint16_t i = 0; i < model->inputs; i++) {
    const uint16_t value = zigzag(before, (uint16_t)counts[i]);
    before = (uint16_t)counts[i];
    for (uint16_t ones = (uint16_t)(value >> k); ones > 0; ones--)
      put(&bits, 1);
    put(&bits, 0);
    for (uint8_t place = 0; place < k; place++)
      put(&bits, (unsigned)(value >> place) & 1U);
  }
  if (bits.held > 0)
    *bits.out++ = bits.byte;
  return (uint16_t)(bits.out - packed);
}

static uint16_t encode_raw(const qcs_toy_model_t *model, const int16_t counts[], uint8_t packed[]) {
  packed[0] = RAW;
  for (uint16_t i = 0; i < model->inputs; i++) {
    packed[1 + 2 * i] = (uint8_t)((uint16_t)counts[i] & 0xFFU);
    packed[2 + 2 * i] = (uint8_t)((uint16_t)counts[i] >> 8);
  }
  return (uint16_t)(1 + 2 * model->inputs);
}

uint16_t qcs_toy_encode_counts(const qcs_toy_model_t *model, const int16_t counts[],
                               uint8_t packed[]) {
  uint8_t best = 0;
  uint32_t least = rice_bits(model, counts, 0);
  if (least == model->inputs) {
    packed[0] = QUIET;
    return 1;
  }
  for (uint8_t k = 1; k < 16; k++) {
    const uint32_t bits = rice_bits(model, counts, k);
    if (bits < least) {
      least = bits;
      best = k;
    }
  }
  if (least > 16UL * model->inputs)
    return encode_raw(model, counts, packed);
  return encode_rice(model, counts, best, packed);
}

uint16_t qcs_encode_toy(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                        uint8_t packed[], void *scratch) {
  (void)input_type;
  (void)scratch;
  return qcs_toy_encode_counts(codec->model, input, packed);
}
