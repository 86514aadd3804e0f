/* SPDX-License-Identifier: Apache-2.0 */
/* qcskit: integer encoders of bit-saving sensor codecs. Portable C11, no malloc, no libc but memcpy
 * and memset.
 *
 * An exported model is a generated pair qcs_model_<name>.h/.c beside this core. The header gives
 * one entry, the same for every codec:
 *
 *     #include "qcs_model_demo.h"
 *     static qcs_demo_counts_t counts;   // QCS_DEMO_INPUTS ADC counts: one packet's input
 *     static qcs_demo_packed_t packed;   // room for QCS_DEMO_PACKED_BYTES_MAX bytes
 *     static qcs_demo_scratch_t scratch; // any content
 *     const uint16_t length = qcs_demo_encode(&counts, &packed, &scratch);
 *     radio_send(packed.bytes, length);
 *
 * The caller owns all memory. A function keeps nothing between calls: with a scratch of its own
 * each caller (interrupt, task) may encode at any time, also with the same model. One rule of
 * alignment: scratch is aligned to 4 bytes, counts to 2.
 *
 * qcs_<name>_codec is the same behind one face for every codec, so that one serial agent serves
 * them all. Tables are `static const` with the attribute QCS_ROM behind the brackets and are read
 * through qcs_rom.h; the structs are plain const. */
#ifndef QCS_H
#define QCS_H

#include <stdint.h>

#include "qcs_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Form of what the generated text and this core say to each other; the text asserts it. */
#define QCS_VERSION 5

/* Input type of a packet, ENCODE.input_type; qcs_codec_t.input_types is a sum of these. */
#define QCS_INPUT_INT8 1   /* int8_t network inputs */
#define QCS_INPUT_COUNTS 2 /* int16_t ADC counts */

typedef struct qcs_codec qcs_codec_t;

/* Encode one packet. input: codec->inputs values of input_type (one that input_types allows),
 * aligned for it. packed: room for packed_bytes_max. scratch: scratch_bytes, any content, aligned
 * to 4 bytes. No overlap. Returns the packet's bytes, 1 .. packed_bytes_max; behind them packed may
 * hold anything. */
typedef uint16_t qcs_encode_fn(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                               uint8_t packed[], void *scratch);

struct qcs_codec {
  const void *model;         /* what `encode` reads */
  const uint8_t *id;         /* 8 bytes, model id */
  uint16_t inputs;           /* counts per packet */
  uint16_t outputs;          /* K, indices per packet; 0 where that means nothing */
  uint16_t levels;           /* I, values of an index; 0 where that means nothing */
  uint16_t windows;          /* source vectors per packet */
  uint16_t packed_bytes_max; /* of a packet; the length itself may vary */
  uint16_t scratch_bytes;
  uint8_t kind; /* family of the codec, INFO.codec: docs/protocol.md */
  uint8_t input_types;
  qcs_encode_fn *encode;
};

#ifdef __cplusplus
}
#endif
#endif
