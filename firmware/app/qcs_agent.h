/* SPDX-License-Identifier: Apache-2.0 */
/* Serial agent: answers the frames of docs/protocol.md with any codec behind qcs.h.
 *
 * It never waits: qcs_agent_poll moves at most one byte in, at most what `write` accepts out, and
 * encodes at most one packet. Memory is the caller's; QCS_AGENT_DEFINE makes it all. Two ways to
 * receive: by polling (`read` returns a byte or -1), or from an interrupt that calls
 * qcs_agent_receive (then `read` is NULL). Log text may share the line. */
#ifndef QCS_AGENT_H
#define QCS_AGENT_H

#include <stdbool.h>

#include "qcs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QCS_PROTOCOL 2

/* INFO.tick_source */
#define QCS_TICKS_NONE 0
#define QCS_TICKS_CYCLES 1
#define QCS_TICKS_INSTRUCTIONS 2
#define QCS_TICKS_TIMER 3

/* Reply buffer: one COBS block of 255 bytes cannot be sent before it is complete. */
#define QCS_AGENT_TX_BYTES 264

/* Encoded size of an ENCODE frame with `bytes` of packets: two delimiters, COBS overhead, header,
 * CRC. */
#define QCS_AGENT_FRAME_BYTES(bytes) ((bytes) + 10 + 3 + ((bytes) + 10) / 254)

/* The hardware seam: three callbacks, and a fourth for boards that can change their line rate. */
typedef struct {
  void *context; /* handed to the callbacks */
  /* A received byte, or -1 if there is none. NULL if an interrupt delivers bytes. */
  int (*read)(void *context);
  /* How many of the n bytes it took, 0 .. n. */
  uint16_t (*write)(void *context, const uint8_t bytes[], uint16_t n);
  /* Free-running counter. NULL if there is no honest one. */
  uint32_t (*ticks)(void *context);
  /* Can the line run at `baud`? With `now`: switch as soon as the last byte written has left, and
   * return whether that is done (false: call again). NULL if the rate is fixed. */
  bool (*set_baud)(void *context, uint32_t baud, bool now);
  uint32_t baud;       /* rate at start; only read with set_baud */
  uint32_t tick_hz;    /* 0 if ticks are instructions or there are none */
  uint8_t tick_source; /* QCS_TICKS_..., as INFO reports it */
} qcs_agent_io_t;

/* STATS, as sent. */
typedef struct {
  uint32_t frames;     /* received with a correct CRC */
  uint32_t crc_errors; /* stretches between two zeros that were no frame */
  uint32_t overruns;   /* bytes or frames that found no room */
  uint32_t duplicates; /* ENCODE frames with the seq of the last one answered */
} qcs_agent_stats_t;

/* State. Set up by qcs_agent_init; the fields are private. */
typedef struct {
  const qcs_codec_t *codec;
  const qcs_agent_io_t *io;
  qcs_agent_stats_t stats;
  /* receiving: ring of raw bytes, then the decoded body */
  uint8_t *ring;
  uint8_t *body;
  uint16_t rx_bytes;
  volatile uint16_t ring_in, ring_out; /* the first is the interrupt's to write */
  uint16_t body_bytes;
  uint32_t body_crc;
  uint8_t block,
      block_left; /* COBS code byte and what is left of its block; block 0 before the first */
  bool too_long;
  /* replying */
  uint8_t stage;
  uint8_t *work; /* scratch, then tick, length and bytes of a packet */
  const uint8_t *segment;
  uint16_t segment_bytes;
  uint8_t note[32]; /* short payloads */
  uint8_t header[4];
  uint8_t input_type, count, done, max_batch;
  uint16_t repeats; /* of the RESULT, still to come */
  uint16_t last_seq;
  bool last_valid;
  /* line rate: the one that stands, the one asked for (0: none), bytes and bad stretches left to
   * prove it */
  uint32_t baud, baud_wanted;
  uint16_t trial_bytes;
  uint8_t trial_bad;
  /* sending: ring of COBS bytes; those from tx_open on belong to an unfinished block */
  uint8_t tx[QCS_AGENT_TX_BYTES];
  uint16_t tx_in, tx_out, tx_open;
  uint8_t run;
  uint32_t tx_crc;
} qcs_agent_t;

/* Memory behind an agent. ring and body: rx_bytes each; INFO reports it, and it must hold one
 * frame; a longer one is refused. work: codec->scratch_bytes, a multiple of 4, + 6 +
 * packed_bytes_max. body and work aligned to 4. */
typedef struct {
  uint8_t *ring;
  uint8_t *body;
  uint16_t rx_bytes;
  uint8_t *work;
} qcs_agent_memory_t;

/* Start an agent. codec, io and memory's buffers must outlive it. */
void qcs_agent_init(qcs_agent_t *agent, const qcs_codec_t *codec, const qcs_agent_io_t *io,
                    const qcs_agent_memory_t *memory);

/* Do a little of whatever is to be done. Returns false if there was nothing to do: the caller may
 * sleep until the next byte arrives. */
bool qcs_agent_poll(qcs_agent_t *agent);

/* Deliver one received byte; may be called from an interrupt while qcs_agent_poll runs. */
void qcs_agent_receive(qcs_agent_t *agent, uint8_t byte);

/* Define the static memory `memory` of a model `NAME` (macros QCS_<NAME>_...) with rx_bytes of
 * receive buffer. */
#define QCS_AGENT_DEFINE(memory, NAME, rx_bytes_)                                                  \
  _Static_assert((rx_bytes_) >= QCS_AGENT_FRAME_BYTES(2 * QCS_##NAME##_INPUTS),                    \
                 "rx_bytes must hold a frame with one packet of ADC counts");                      \
  _Static_assert((rx_bytes_) <= 65535, "rx_bytes is a uint16_t");                                  \
  static uint8_t memory##_ring[rx_bytes_];                                                         \
  static uint32_t memory##_body[((rx_bytes_) + 3) / 4];                                            \
  static uint32_t memory##_work[(QCS_##NAME##_SCRATCH_BYTES + 3) / 4 +                             \
                                (6 + QCS_##NAME##_PACKED_BYTES_MAX + 3) / 4];                      \
  static const qcs_agent_memory_t memory = {memory##_ring, (uint8_t *)memory##_body, (rx_bytes_),  \
                                            (uint8_t *)memory##_work}

#ifdef __cplusplus
}
#endif
#endif
