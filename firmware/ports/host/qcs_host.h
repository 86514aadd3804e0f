/* Batches of vectors on the host. Arrays are row-major, n rows; scratch as for one vector, not
 * shared by threads. */
#ifndef QCS_HOST_H
#define QCS_HOST_H

#include <stddef.h>

#include "qcs_codec.h"

/* x: n * inputs. packed: n * packed_bytes. */
void qcs_host_encode_batch(const qcs_model_t *model, const int8_t x[], size_t n, uint8_t packed[],
                           int8_t scratch[]);

/* counts: n * inputs. packed: n * packed_bytes. */
void qcs_host_encode_counts_batch(const qcs_model_t *model, const int16_t counts[], size_t n,
                                  uint8_t packed[], int8_t scratch[]);

/* Indices before packing: n * outputs, each 0 .. levels - 1. */
void qcs_host_index_batch(const qcs_model_t *model, const int8_t x[], size_t n, uint8_t index[],
                          int8_t scratch[]);

/* Any codec; input: n * inputs values of input_type. */
void qcs_host_codec_batch(const qcs_codec_t *codec, uint8_t input_type, const void *input, size_t n,
                          uint8_t packed[], void *scratch);

/* Vectors that qcs_host_block_batch works on side by side. */
#define QCS_HOST_BLOCK_LANES 32

/* qcs_host_encode_batch, several times faster on a processor with SIMD instructions.
 * scratch: QCS_HOST_BLOCK_LANES * (2 * widest + outputs) entries. */
void qcs_host_block_batch(const qcs_model_t *model, const int8_t x[], size_t n, uint8_t packed[],
                          int16_t scratch[]);

#endif
