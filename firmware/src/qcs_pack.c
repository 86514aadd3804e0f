/* SPDX-License-Identifier: Apache-2.0 */
/* Indices to bits, least significant first: groups of base-I numbers in one bit stream. */
#include "qcs_pack.h"

/* Append the low `bits` (1 .. 8) of value; higher ones are 0. */
static void put_byte(qcs_packer_t *packer, uint8_t value, uint8_t bits) {
  unsigned held = packer->byte | (unsigned)value << packer->byte_bits;
  bits = (uint8_t)(bits + packer->byte_bits);
  if (bits >= 8) {
    *packer->out++ = (uint8_t)held;
    held >>= 8;
    bits = (uint8_t)(bits - 8U);
  }
  packer->byte = (uint8_t)held;
  packer->byte_bits = bits;
}

/* Append the low `bits` (1 .. 64) of number; higher ones are 0. */
static void put_bits(qcs_packer_t *packer, uint64_t number, uint8_t bits) {
  for (; bits > 8; bits = (uint8_t)(bits - 8U), number >>= 8)
    put_byte(packer, (uint8_t)number, 8);
  put_byte(packer, (uint8_t)number, bits);
}

static void open_group(qcs_packer_t *packer) {
  packer->number = 0;
  packer->weight = 1;
  packer->held = 0;
}

void qcs_pack_begin(qcs_packer_t *packer, uint16_t levels, uint8_t symbols, uint8_t bits) {
  packer->levels = levels;
  packer->symbols = symbols;
  packer->bits = bits;
  packer->byte = 0;
  packer->byte_bits = 0;
  open_group(packer);
}

void qcs_pack_put(qcs_packer_t *packer, uint8_t index) {
  if (packer->symbols == 1) { /* I = 2^k needs no product */
    put_byte(packer, index, packer->bits);
    return;
  }
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
