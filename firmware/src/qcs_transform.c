/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of the transform codec: what does not fit becomes raw or coarser, and the CRC. Section 5
 * of docs/transform.md. */
#include "qcs_transform.h"

#include "qcs_transform_parts.h"

bool qcs_transform_put_bits(qcs_transform_bits_t *to, unsigned value, unsigned bits) {
  const uint32_t waiting = to->waiting << bits | value;
  unsigned held = to->held + bits;
  to->waiting = waiting;
  for (; held >= 8; held -= 8) {
    if (to->out == to->end)
      return false;
    *to->out++ = (uint8_t)(waiting >> (held - 8));
  }
  to->held = (uint8_t)held;
  return true;
}

bool qcs_transform_end_bits(qcs_transform_bits_t *to) {
  return to->held == 0 || qcs_transform_put_bits(to, 0, 8U - to->held);
}

/* 0xFF, then the kept counts as they are. */
uint16_t qcs_transform_raw(const qcs_transform_job_t *job, uint8_t packed[]) {
  const qcs_transform_model_t *const model = job->model;
  const uint16_t mask = (uint16_t)((UINT32_C(1) << model->bits) - 1U);
  const int16_t *count = job->counts;
  qcs_transform_bits_t to = {packed + 1, packed + 1 + model->room, 0, 0};
  packed[0] = 0xFF;
  for (uint32_t left = (uint32_t)model->windows * model->samples; left > 0; left--) {
    const uint16_t value = (uint16_t)(((uint32_t)*count - (uint32_t)model->low) & mask);
    (void)qcs_transform_put_bits(&to, value, model->bits);
    count += model->stride;
  }
  (void)qcs_transform_end_bits(&to);
  return (uint16_t)(to.out - packed);
}

void qcs_transform_prepare(const qcs_transform_job_t *job) {
  qcs_transform_job_t of_window = *job;
  for (unsigned window = 0; window < job->model->windows; window++) {
    qcs_transform_sums_step(&of_window, window);
    of_window.sums += job->model->rows;
  }
}

uint16_t qcs_transform_crc(uint8_t packed[], uint16_t length) {
  uint8_t crc = 0xFF;
  for (uint16_t i = 0; i < length; i++) {
    crc ^= packed[i];
    for (uint8_t bit = 0; bit < 8; bit++)
      crc = (uint8_t)((unsigned)crc << 1 ^ (crc & 0x80U ? 0x2FU : 0U));
  }
  packed[length] = crc ^ 0xFFU;
  return (uint16_t)(length + 1U);
}

uint16_t qcs_transform_encode_counts(const qcs_transform_model_t *model, const int16_t counts[],
                                     uint8_t packed[], void *scratch) {
  int32_t *const v = scratch;
  const qcs_transform_job_t job = {model, counts, v, v + model->samples};
  uint16_t length = 0;
  if (model->prepare)
    model->prepare(&job);
  for (uint8_t quality = 0; quality < model->qualities && length == 0; quality++)
    length = model->payload(&job, quality, packed);
  if (length == 0 && model->instead)
    length = model->instead(&job, packed);
  return model->close ? model->close(packed, length) : length;
}

uint16_t qcs_encode_transform(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch) {
  (void)input_type;
  return qcs_transform_encode_counts(codec->model, input, packed, scratch);
}
