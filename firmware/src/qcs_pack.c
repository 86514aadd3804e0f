/* Indices to bits, least significant first: groups of base-I numbers in one bit stream. */
#include "qcs_kernels.h"

/* Append the low `bits` (1 .. 64) of number; higher ones are 0. */
static void put_bits(qcs_packer_t *packer, uint64_t number, uint8_t bits) {
  while (bits > 0) {
    const uint8_t room = (uint8_t)(8U - packer->byte_bits);
    const uint8_t take = bits < room ? bits : room;
    packer->byte = (uint8_t)(packer->byte | ((uint8_t)number << packer->byte_bits));
    packer->byte_bits = (uint8_t)(packer->byte_bits + take);
    number >>= take;
    bits = (uint8_t)(bits - take);
    if (packer->byte_bits == 8) {
      *packer->out++ = packer->byte;
      packer->byte = 0;
      packer->byte_bits = 0;
    }
  }
}

static void open_group(qcs_packer_t *packer) {
  packer->number = 0;
  packer->weight = 1;
  packer->held = 0;
}

void qcs_pack_begin(qcs_packer_t *packer, const qcs_model_t *model, uint8_t packed[]) {
  packer->out = packed;
  packer->levels = model->levels;
  packer->symbols = model->group_symbols;
  packer->bits = model->group_bits;
  packer->byte = 0;
  packer->byte_bits = 0;
  open_group(packer);
}

void qcs_pack_put(qcs_packer_t *packer, uint8_t index) {
  packer->number += index * packer->weight;
  packer->weight *= packer->levels;
  packer->held++;
  if (packer->held == packer->symbols) {
    put_bits(packer, packer->number, packer->bits);
    open_group(packer);
  }
}

void qcs_pack_end(qcs_packer_t *packer) {
  if (packer->held > 0) { /* a group with fewer indices takes the bits of its largest number */
    uint8_t bits = 0;
    for (uint64_t largest = packer->weight - 1U; largest > 0; largest >>= 1)
      bits++;
    put_bits(packer, packer->number, bits);
  }
  if (packer->byte_bits > 0)
    *packer->out++ = packer->byte;
}

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN

/* Groups of one index: 4 * bits is a multiple of 4, so that at most 4 bits wait. */
__attribute__((noinline)) static void pack_binary(const qcs_model_t *model, const uint32_t words[],
                                                  uint8_t packed[]) {
  const uint8_t *const end = packed + model->packed_bytes;
  const uint32_t bits = 4U * model->group_bits;
  uint32_t waiting = 0, fill = 0;
  for (uint32_t groups = (model->outputs + 3U) / 4U; groups > 0; groups--) {
    waiting |= *words++ << fill;
    for (fill += bits; fill >= 8U && packed != end; fill -= 8U) {
      *packed++ = (uint8_t)waiting;
      waiting >>= 8;
    }
  }
  if (packed != end)
    *packed = (uint8_t)waiting;
}

__attribute__((noinline)) static void pack_groups(const qcs_model_t *model, const uint32_t words[],
                                                  uint8_t packed[]) {
  qcs_packer_t packer;
  qcs_pack_begin(&packer, model, packed);
  for (uint16_t i = 0; i < model->outputs; i++)
    qcs_pack_put(&packer, (uint8_t)(words[i >> 2] >> (8U * (i & 3U))));
  qcs_pack_end(&packer);
}

void qcs_pack_words(const qcs_model_t *model, const uint32_t words[], uint8_t packed[]) {
  if (model->group_symbols != 1) {
    pack_groups(model, words, packed);
  } else if (model->group_bits != 2) {
    pack_binary(model, words, packed);
  } else { /* a byte per word */
    for (uint32_t i = model->packed_bytes; i > 0; i--)
      *packed++ = (uint8_t)*words++;
  }
}

#endif
