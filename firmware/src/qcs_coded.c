/* The sawtooth quantizer and its packing. */
#include "qcs_coded.h"

#include "qcs_kernels.h"

#if defined(__ARM_ARCH_6M__) || defined(__AVR__)
#define QCS_NO_LONG_MULTIPLY /* a 32 x 32 -> 64 product would be a library call */
#endif

/* Two levels: the symbol is the top bit of the phase. Eight of them make a byte, the first lowest.
 */
static void encode_binary(const qcs_coded_t *model, const int16_t counts[], uint8_t packed[]) {
  const uint32_t step = model->step;
  const uint32_t offset = model->offset;
  uint16_t left = model->inputs;
  while (left > 0) {
    const uint8_t take = (uint8_t)(left < 8 ? left : 8);
    uint32_t bits = 0;
    if (take == 8) {
      /* Written out, so that the loop costs nothing: shift right, put the new bit on top. */
#define QCS_BIT(i)                                                                                 \
  bits = (bits >> 1) | (((uint32_t)counts[i] * step + offset) & UINT32_C(0x80000000))
      QCS_BIT(0);
      QCS_BIT(1);
      QCS_BIT(2);
      QCS_BIT(3);
      QCS_BIT(4);
      QCS_BIT(5);
      QCS_BIT(6);
      QCS_BIT(7);
    } else {
      for (uint8_t i = 0; i < take; i++)
        QCS_BIT(i);
      bits >>= 8U - take;
    }
#undef QCS_BIT
    *packed++ = (uint8_t)(bits >> 24);
    counts += take;
    left = (uint16_t)(left - take);
  }
}

/* High word of phase * levels; two 32-bit products where the core has no long multiply. levels <
 * 2^16. */
static inline uint32_t scale(uint32_t phase, uint32_t levels) {
#ifdef QCS_NO_LONG_MULTIPLY
  return ((phase >> 16) * levels + (((phase & 0xFFFFU) * levels) >> 16)) >> 16;
#else
  return (uint32_t)(((uint64_t)phase * levels) >> 32);
#endif
}

/* Any number of levels: groups of base-p numbers. */
static void encode_groups(const qcs_coded_t *model, const int16_t counts[], uint8_t packed[]) {
  qcs_packer_t packer = {.out = packed,
                         .number = 0,
                         .weight = 1,
                         .levels = model->levels,
                         .symbols = model->group_symbols,
                         .bits = model->group_bits};
  for (uint16_t i = 0; i < model->inputs; i++) {
    const uint32_t phase = (uint32_t)counts[i] * model->step + model->offset;
    qcs_pack_put(&packer, (uint8_t)scale(phase, model->levels));
  }
  qcs_pack_end(&packer);
}

void qcs_coded_encode(const qcs_coded_t *model, const int16_t counts[], uint8_t packed[]) {
  if (model->levels == 2)
    encode_binary(model, counts, packed);
  else
    encode_groups(model, counts, packed);
}

void qcs_codec_encode_coded(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                            uint8_t packed[], void *scratch) {
  (void)input_type;
  (void)scratch;
  qcs_coded_encode(codec->model, input, packed);
}
