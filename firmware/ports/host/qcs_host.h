/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of packets on the host, for simulation and for gateways. Arrays are row-major, n rows. */
#ifndef QCS_HOST_H
#define QCS_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "qcs_int8.h"

/* Any codec. input: n * inputs values of input_type. packed: n rows of packed_bytes_max. lengths:
 * n. scratch: as for one packet, not shared by threads. */
void qcs_host_batch(const qcs_codec_t *codec, uint8_t input_type, const void *input, size_t n,
                    uint8_t packed[], uint16_t lengths[], void *scratch);

/* Packets that qcs_host_block works on side by side. */
#define QCS_HOST_BLOCK_LANES 32

/* Entries of scratch that qcs_host_block needs; 0: it does not take this codec. */
size_t qcs_host_block_entries(const qcs_codec_t *codec);

/* qcs_host_batch for int8 network inputs, several times faster on a processor with SIMD
 * instructions. */
void qcs_host_block(const qcs_codec_t *codec, const int8_t x[], size_t n, uint8_t packed[],
                    int16_t scratch[]);

/* ADC counts of n packets -> network inputs x as the codec's front end computes them. Returns false
 * if it has none. */
bool qcs_host_network_input(const qcs_codec_t *codec, const int16_t counts[], size_t n, int8_t x[]);

#endif
