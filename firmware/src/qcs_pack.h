/* SPDX-License-Identifier: Apache-2.0 */
/* Indices to bits, see qcskit.codec.packing: groups of base-I numbers in one bit stream. */
#ifndef QCS_PACK_H
#define QCS_PACK_H

#include <stdint.h>

/* Packs indices one by one, see qcskit.codec.packing. Little state, so that no index array is
 * needed. */
typedef struct {
  uint8_t *out;      /* next byte */
  uint64_t number;   /* indices of the open group, base I */
  uint64_t weight;   /* I ^ (indices in the open group) */
  uint16_t levels;   /* I */
  uint8_t symbols;   /* indices per full group */
  uint8_t bits;      /* bits per full group */
  uint8_t held;      /* indices in the open group */
  uint8_t byte;      /* bits not yet in out */
  uint8_t byte_bits; /* how many, 0 .. 7 */
} qcs_packer_t;

/* The part of qcs_pack_open whose arguments fit in registers. */
void qcs_pack_begin(qcs_packer_t *packer, uint16_t levels, uint8_t symbols, uint8_t bits);

/* Start packing into packed[]: indices 0 .. levels - 1, `symbols` of them per group of `bits`. */
static inline void qcs_pack_open(qcs_packer_t *packer, uint16_t levels, uint8_t symbols,
                                 uint8_t bits, uint8_t packed[]) {
  packer->out = packed;
  qcs_pack_begin(packer, levels, symbols, bits);
}

/* Append an index, 0 .. levels - 1. */
void qcs_pack_put(qcs_packer_t *packer, uint8_t index);

/* Close the last group; unused bits of the last byte are 0. */
void qcs_pack_end(qcs_packer_t *packer);

#endif
