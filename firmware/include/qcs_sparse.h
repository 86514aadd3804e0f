/* SPDX-License-Identifier: Apache-2.0 */
/* Device side of the sparse codec: ADC counts -> correlations with every column -> the best support
 * of one or two coefficients, all of them compared -> cells -> a word per vector.
 * docs/sparse.md is the specification; mirrors qcskit.codec.sparse.search and .words.
 *
 * A model names the functions that it needs; the linker throws the others away. Reentrant: an
 * encode is a pure function of model and counts; tables are const, there is no static data. No sum
 * overflows for any counts: the exporter proves it of the tables. Every loop is bounded by the
 * model's sizes. Stack: at most 160 bytes (Cortex-M and RV32, GCC 12 -O2). */
#ifndef QCS_SPARSE_H
#define QCS_SPARSE_H

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qcs_sparse_model qcs_sparse_model_t;

/* A support and its coefficients. number: in lexicographic order. Of one
 * coefficient alone: second is first, the second value 0. */
typedef struct {
  int32_t values[2];
  uint32_t number;
  uint16_t first, second;
} qcs_sparse_found_t;

/* Find the best support, the first one of several; c: entries correlations. */
typedef void qcs_sparse_search_fn(const qcs_sparse_model_t *model, const int16_t c[],
                                  qcs_sparse_found_t *found);

/* Return the word of what was found of y (stride). */
typedef uint32_t qcs_sparse_word_fn(const qcs_sparse_model_t *model, const int16_t y[],
                                    const qcs_sparse_found_t *found);

/* Tell whether y (stride) does not fit what was found. */
typedef uint8_t qcs_sparse_guard_fn(const qcs_sparse_model_t *model, const int16_t y[],
                                    const qcs_sparse_found_t *found);

/* Of the guard. */
typedef struct {
  const int16_t *coarse; /* as thresholds, of a flagged vector */
  uint32_t limit;        /* of the residual; inputs times it fit uint32_t */
  uint32_t plain_words;  /* words of vectors that pass */
  uint16_t most_left;    /* a residual beyond is above the limit by itself */
  uint16_t coarse_half;
  uint8_t fit_shift;      /* from y to phi * coefficient */
  uint8_t residual_shift; /* of what is left */
} qcs_sparse_limits_t;

/* Of the code plane. */
typedef struct qcs_sparse_points {
  const int16_t *plane;                   /* count points, magnitudes of both */
  const int16_t *axis;                    /* axis_count, magnitudes of one alone, ascending */
  const struct qcs_sparse_points *coarse; /* of flagged vectors, with limits */
  uint32_t alone_words;                   /* words of points in the plane */
  uint16_t count, axis_count;
} qcs_sparse_points_t;

struct qcs_sparse_model {
  uint8_t id[8];    /* codec id: all that device and decoder agree on */
  uint16_t windows; /* W, vectors of a packet */
  uint16_t inputs;  /* M, of a vector */
  uint16_t stride;  /* inputs, or one more: even */
  uint16_t entries; /* N, coefficients that are searched */
  uint16_t packed_bytes;
  int16_t low, high, centre; /* counts: the ends, and what stands for 0 */
  uint8_t align;             /* y = (count - centre) << align */
  uint8_t bits;              /* of a word, 1 .. 32 */
  uint8_t pair_bits;         /* fraction bits of pairs */
  uint8_t sparsity;          /* 1, 2 */
  uint16_t half;             /* of the cells of a coefficient */
  /* All tables QCS_ROM. */
  const int16_t *phi;        /* entries rows of stride, and a row of zeros where they are odd */
  const uint32_t *pairs;     /* u and, in the upper half, -v of every pair */
  const int16_t *thresholds; /* half - 1, ascending: the first magnitude of the next cell */
  qcs_sparse_search_fn *search;
  qcs_sparse_word_fn *word;
  const qcs_sparse_points_t *points; /* or NULL */
  const qcs_sparse_limits_t *limits; /* or NULL */
};

qcs_sparse_search_fn qcs_sparse_pair, qcs_sparse_single;
qcs_sparse_word_fn qcs_sparse_lloyd, qcs_sparse_plane;
qcs_sparse_word_fn qcs_sparse_guarded_lloyd, qcs_sparse_guarded_plane; /* with limits */
qcs_sparse_guard_fn qcs_sparse_guard;                                  /* of y, with limits */

/* Encode counts[windows * inputs] into packed[packed_bytes]. scratch: stride + entries + 2 int16_t.
 * No overlap. Returns packed_bytes. */
uint16_t qcs_sparse_encode_counts(const qcs_sparse_model_t *model, const int16_t counts[],
                                  uint8_t packed[], void *scratch);

/* The same behind a qcs_codec_t whose model is a qcs_sparse_model_t; takes counts alone. */
uint16_t qcs_encode_sparse(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch);

#ifdef __cplusplus
}
#endif
#endif
