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
  uint16_t number, first, second;
} qcs_sparse_found_t;

/* Find the best support, the first one of several; c: entries correlations. */
typedef void qcs_sparse_search_fn(const qcs_sparse_model_t *model, const int16_t c[],
                                  qcs_sparse_found_t *found);

/* Return the word of what was found. */
typedef uint32_t qcs_sparse_word_fn(const qcs_sparse_model_t *model,
                                    const qcs_sparse_found_t *found);

/* Tell whether y (stride) does not fit what was found. */
typedef uint8_t qcs_sparse_guard_fn(const qcs_sparse_model_t *model, const int16_t y[],
                                    const qcs_sparse_found_t *found);

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
  uint8_t fit_shift;         /* from y to phi * coefficient */
  uint8_t residual_shift;
  uint8_t sparsity; /* 1, 2 */
  uint16_t levels, coarse_levels;
  uint16_t plane_count, axis_count;
  uint32_t limit;       /* of the residual; inputs times it fit uint32_t */
  uint16_t most_left;   /* its root: above it one entry is beyond the limit */
  uint32_t plain_words; /* words of vectors that fit */
  uint32_t alone_words; /* where those of a lone coefficient begin */
  /* All tables QCS_ROM. */
  const int16_t *phi;        /* entries rows of stride, and a row of zeros where they are odd */
  const uint32_t *pairs;     /* u and, in the upper half, -v of every pair */
  const int16_t *thresholds; /* levels - 1, ascending: the first coefficient of the next cell */
  const int16_t *coarse;     /* coarse_levels - 1, the same where the guard speaks */
  const int16_t *plane;      /* plane_count points, magnitudes of both */
  const int16_t *axis;       /* axis_count, magnitudes of one alone, ascending */
  qcs_sparse_search_fn *search;
  qcs_sparse_word_fn *word;
  qcs_sparse_guard_fn *guard; /* or NULL */
};

qcs_sparse_search_fn qcs_sparse_pair, qcs_sparse_single;
qcs_sparse_word_fn qcs_sparse_lloyd, qcs_sparse_plane;
qcs_sparse_guard_fn qcs_sparse_guard;

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
