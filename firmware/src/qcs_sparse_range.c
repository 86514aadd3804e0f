/* SPDX-License-Identifier: Apache-2.0 */
/* Section 4 of docs/sparse.md, code range: indices and places of all vectors through a range coder.
 */
#include "qcs_sparse_range.h"

#include "qcs_range.h"
#include "qcs_sparse_parts.h"

/* |index| of a coefficient. */
static unsigned index_of(const qcs_sparse_range_model_t *model, int32_t value, uint8_t shift) {
  const uint32_t magnitude = (uint32_t)qcs_sparse_magnitude(value);
  if (magnitude < model->least)
    return 0;
  const uint32_t half = (uint32_t)1 << shift >> 1;
  return (unsigned)((magnitude * model->multiplier + half) >> shift);
}

/* packed_bytes is what no packet exceeds, so there is always room. Of two coefficients of which one
 * has the index 0 the other is put as the first. */
static void put_vector(qcs_range_t *coder, const qcs_sparse_range_model_t *model,
                       const qcs_sparse_found_t *found, bool flagged) {
  const uint16_t *table = model->symbols;
  uint8_t shift = model->index_shift;
  if (model->guard != NULL) {
    const uint16_t pass = (uint16_t)(QCS_RANGE_TOTAL - model->flag);
    (void)qcs_range_put_part(coder, flagged ? pass : 0, flagged ? model->flag : pass);
  }
  if (flagged) {
    table += model->sparse.sparsity * QCS_RANGE_SYMBOLS;
    shift = (uint8_t)(shift + model->coarse_shift);
  }
  unsigned symbol, second = 0, place = found->first;
  unsigned first = index_of(model, found->values[0], shift), negative = found->values[0] < 0;
  if (model->sparse.sparsity > 1) {
    second = index_of(model, found->values[1], shift);
    if (first == 0) {
      first = second;
      negative = found->values[1] < 0;
      place = found->second;
      second = 0;
    }
  }
  (void)qcs_range_put_index(coder, table, first, negative, &symbol);
  if (first == 0)
    return;
  if (model->sparse.sparsity > 1)
    (void)qcs_range_put_index(coder, table + QCS_RANGE_SYMBOLS, second, found->values[1] < 0,
                              &symbol);
  if (second == 0)
    (void)qcs_range_put_equal(coder, place, model->place_size, model->place_bits);
  else
    (void)qcs_range_put_equal(coder, found->number, model->support_size, model->support_bits);
}

uint16_t qcs_sparse_range_encode_counts(const qcs_sparse_range_model_t *model,
                                        const int16_t counts[], uint8_t packed[], void *scratch) {
  const qcs_sparse_model_t *const sparse = &model->sparse;
  qcs_range_t coder = qcs_range_begin(packed, sparse->packed_bytes);
  for (uint16_t window = 0; window < sparse->windows; window++, counts += sparse->inputs) {
    qcs_sparse_found_t found;
    qcs_sparse_find(sparse, counts, scratch, &found);
    const bool flagged = model->guard != NULL && model->guard(sparse, scratch, &found);
    put_vector(&coder, model, &found, flagged);
  }
  (void)qcs_range_put_end(&coder);
  return qcs_range_trimmed(packed, (uint16_t)(coder.out - packed));
}

uint16_t qcs_encode_sparse_range(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                                 uint8_t packed[], void *scratch) {
  (void)input_type;
  return qcs_sparse_range_encode_counts(codec->model, input, packed, scratch);
}
