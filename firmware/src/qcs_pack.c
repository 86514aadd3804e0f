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
