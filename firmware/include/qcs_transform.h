/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of the transform codec: ADC counts of some windows -> integer transform -> quantizer
 * -> range coder or Rice -> one packet. docs/transform.md is the specification; mirrors
 * qcskit.codec.transform.packet.encode.
 *
 * A model names the functions that it needs; the linker throws the others away. Reentrant: an
 * encode is a pure function of model and counts; tables are const, there is no static data. Every
 * loop is bounded by the model's sizes. Stack: at most 320 bytes (Cortex-M and RV32, GCC 12 -O2).
 */
#ifndef QCS_TRANSFORM_H
#define QCS_TRANSFORM_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qcs_transform_model qcs_transform_model_t;

/* One encode. counts: windows * samples * stride of them. v: samples entries. sums: rows entries,
 * or, where they are prepared, windows * rows and some that a fast transform needs. */
typedef struct {
  const qcs_transform_model_t *model;
  const int16_t *counts;
  int32_t *v, *sums;
} qcs_transform_job_t;

/* Put the payload at this quality into packed[model->room]; returns its bytes, 0 if they do not
 * fit. */
typedef uint16_t qcs_transform_payload_fn(const qcs_transform_job_t *job, uint8_t quality,
                                          uint8_t packed[]);

/* Compute all sums before the payload. */
typedef void qcs_transform_prepare_fn(const qcs_transform_job_t *job);

/* Put what is sent instead of a payload that does not fit; returns its bytes. */
typedef uint16_t qcs_transform_instead_fn(const qcs_transform_job_t *job, uint8_t packed[]);

/* Put the CRC behind packed[length]; returns length + 1. */
typedef uint16_t qcs_transform_close_fn(uint8_t packed[], uint16_t length);

struct qcs_transform_model {
  uint8_t id[8];     /* codec id: all that device and decoder agree on */
  uint16_t windows;  /* W, of a packet */
  uint16_t samples;  /* n, kept of a window, even */
  uint16_t rows;     /* K, 1 .. samples */
  uint16_t room;     /* bytes that a payload may take */
  uint16_t group;    /* coefficients that an end position counts together */
  uint16_t ends;     /* where the lower ends of the end position begin in symbols */
  int16_t centre;    /* count that stands for 0 */
  int16_t low;       /* the ADC's lowest count */
  uint8_t bits;      /* the ADC's */
  uint8_t stride;    /* 1, 2: every stride-th sample is kept */
  uint8_t folds;     /* L: samples is a multiple of 2^L */
  uint8_t qualities; /* 8 with rate control, else 1 */
  uint8_t accumulator_shift, index_shift;
  uint16_t multiplier;
  uint32_t rounding;
  /* All tables QCS_ROM. */
  const uint16_t *block_rows; /* folds + 1: rows of each block of weights */
  const int16_t *weights;
  const uint16_t *positions; /* rows: coefficient of each row of weights */
  const uint32_t *least;     /* per quality: sums below it have the index 0 */
  const uint8_t *classes;    /* rows */
  const uint8_t *rice;       /* rows: parameters */
  const uint8_t *contexts;   /* 25 per class: number of a symbol table */
  const uint16_t *symbols;   /* 16 per table, its lower ends; then those of the end; then 0 */
  /* Of a fast transform, in the place of folds and block_rows. */
  uint16_t step_count, pair_count;
  const uint16_t *steps;   /* start, half, rows of each */
  const int16_t *twiddles; /* two per pair of values that is turned */
  const uint16_t *pairs;   /* two numbers of sums each */
  /* The linker throws away what no model names. */
  qcs_transform_prepare_fn *prepare; /* with rate control or steps; else 0: window by window */
  qcs_transform_payload_fn *payload;
  qcs_transform_instead_fn *instead; /* without rate control */
  qcs_transform_close_fn *close;     /* 0: no CRC */
};

/* What a model may name. */
qcs_transform_prepare_fn qcs_transform_prepare, qcs_transform_fast;
qcs_transform_payload_fn qcs_transform_range, qcs_transform_rice;
qcs_transform_instead_fn qcs_transform_raw;
qcs_transform_close_fn qcs_transform_crc;

/* Encode counts[windows * samples * stride] into packed[packed_bytes_max of the codec]. scratch:
 * samples + entries of sums (qcs_transform_job_t). No overlap. Returns the bytes
 * written. */
uint16_t qcs_transform_encode_counts(const qcs_transform_model_t *model, const int16_t counts[],
                                     uint8_t packed[], void *scratch);

/* The same behind a qcs_codec_t whose model is a qcs_transform_model_t; takes counts alone. */
uint16_t qcs_encode_transform(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
