/* The encoder as a shared library on the host: many vectors per call, for simulation and for
 * gateways. */
#include "qcs_host.h"

void qcs_host_encode_batch(const qcs_model_t *model, const int8_t x[], size_t n, uint8_t packed[],
                           int8_t scratch[]) {
  for (size_t i = 0; i < n; i++)
    qcs_encode(model, x + i * model->inputs, packed + i * model->packed_bytes, scratch);
}

void qcs_host_encode_counts_batch(const qcs_model_t *model, const int16_t counts[], size_t n,
                                  uint8_t packed[], int8_t scratch[]) {
  for (size_t i = 0; i < n; i++)
    qcs_encode_counts(model, counts + i * model->inputs, packed + i * model->packed_bytes, scratch);
}

void qcs_host_index_batch(const qcs_model_t *model, const int8_t x[], size_t n, uint8_t index[],
                          int8_t scratch[]) {
  qcs_model_t bytes =
      *model; /* groups of one index in eight bits: the packed bytes are the indices */
  bytes.group_symbols = 1;
  bytes.group_bits = 8;
  bytes.packed_bytes = model->outputs;
  qcs_host_encode_batch(&bytes, x, n, index, scratch);
}

void qcs_host_codec_batch(const qcs_codec_t *codec, uint8_t input_type, const void *input, size_t n,
                          uint8_t packed[], void *scratch) {
  const size_t bytes = (size_t)codec->inputs * (input_type == QCS_INPUT_INT16 ? 2U : 1U);
  for (size_t i = 0; i < n; i++)
    codec->encode(codec, input_type, (const uint8_t *)input + i * bytes,
                  packed + i * codec->packed_bytes, scratch);
}
