/* qcskit: device side of coded compressive sensing. ADC counts -> p-level sawtooth -> packed bytes.
 * Portable C11.
 *
 *     #include "qcs_model_demo.h"
 *     uint8_t packed[QCS_DEMO_PACKED_BYTES];
 *     qcs_coded_encode(&qcs_coded_demo, adc_counts, packed);
 *
 * A phase of 32 bits wraps once per period of the sawtooth: phase = count * step + offset, modulo
 * 2^32. The symbol is the high word of phase * levels: no division, no branch, any period. Mirrors
 * qcskit.codec.coded.sawtooth.Sawtooth. */
#ifndef QCS_CODED_H
#define QCS_CODED_H

#include "qcs.h"
#include "qcs_codec.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Meaning of the struct; generated files assert it. Mirrors
 * qcskit.codec.coded.bundle.TABLES_VERSION. */
#define QCS_CODED_VERSION 1

typedef struct {
  uint8_t id[8];   /* code id: dictionary, lattice code and period; a decoder must have the same */
  uint16_t inputs; /* m, measurements per vector = symbols per vector */
  uint16_t levels; /* p, prime, 2 .. 251 */
  uint16_t packed_bytes;
  uint8_t group_symbols; /* symbols per packed group, see qcskit.codec.packing */
  uint8_t group_bits;    /* bits per full group */
  uint8_t period_bits;   /* s if the period is 2^s counts, else 0 */
  uint32_t step;         /* 2^32 / period in counts, rounded */
  uint32_t offset;       /* half a level, less the ADC's offset, in phase */
} qcs_coded_t;

/* The symbol of `phase`, 0 .. levels - 1; for static asserts too, hence a macro. */
#define QCS_CODED_SYMBOL(count, step, offset, levels)                                              \
  ((uint8_t)(((uint64_t)(uint32_t)((uint32_t)(count) * (step) + (offset)) * (levels)) >> 32))

/* Encode counts[inputs] into packed[packed_bytes], written whole. No overlap. */
void qcs_coded_encode(const qcs_coded_t *model, const int16_t counts[], uint8_t packed[]);

/* The same behind a qcs_codec_t whose model is a qcs_coded_t; takes QCS_INPUT_INT16, no scratch. */
void qcs_codec_encode_coded(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                            uint8_t packed[], void *scratch);

/* Initializer of the qcs_codec_t of a qcs_coded_t. */
#define QCS_CODEC_CODED(model_, NAME)                                                              \
  QCS_CODEC(model_, NAME, QCS_KIND_CODED, QCS_TAKES_INT16, qcs_codec_encode_coded)

#ifdef __cplusplus
}
#endif
#endif
