/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's state machine. Receive: ring -> COBS -> body. Reply: segments of memory -> COBS ->
 * ring of bytes. */
#include "qcs_agent.h"

#include <string.h>

#include "qcs_mark.h"
#include "qcs_rom.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the protocol is little-endian, and so are all boards so far"
#endif

#define FIRMWARE_VERSION {0, 1, 0}

/* Message types; a reply is its request + 0x80. */
enum {
  HELLO = 0x01,
  ENCODE = 0x02,
  ECHO = 0x03,
  STATS = 0x04,
  RESET = 0x05,
  BAUD = 0x06,
  REPLY = 0x80,
  ERROR = 0xFF
};

enum { E_TYPE = 1, E_LENGTH = 2, E_INPUT_TYPE = 3, E_BATCH = 4, E_VERSION = 5, E_TOO_LONG = 7 };

/* INFO.input_types: what else the agent does */
enum { INFO_BAUD = 0x40, INFO_REPEATS = 0x80 };

/* What a new line rate may bring before a valid frame has come at it. */
enum { TRIAL_BYTES = 256, TRIAL_BAD = 16 };

enum { HEADER_BYTES = 4, CRC_BYTES = 4, PACKETS_AT = 6, TICK_BYTES = 4, LENGTH_BYTES = 2 };

/* What comes after the current segment. */
enum { LISTEN, PAYLOAD, PACKETS, SEAL, CLOSE, DONE };

/* CRC-32, reflected 0x04C11DB7, four bits at a time; of a message and its own CRC it leaves
 * CRC_RESIDUE. */
#define CRC_RESIDUE 0xDEBB20E3U

static const uint32_t crc_table[16] QCS_ROM = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

static uint32_t crc_add(uint32_t crc, uint8_t byte) {
  crc ^= byte;
  crc = (crc >> 4) ^ qcs_rom_u32(crc_table + (crc & 15U));
  crc = (crc >> 4) ^ qcs_rom_u32(crc_table + (crc & 15U));
  return crc;
}

/* ---- receiving ---- */

/* Indices of the ring: on an AVR two bytes, of which an interrupt must not see one changed alone.
 */
#ifdef __AVR__
#include <avr/interrupt.h>
static uint16_t index_read(const volatile uint16_t *index) {
  const uint8_t status = SREG;
  cli();
  const uint16_t value = *index;
  SREG = status;
  return value;
}
static void index_write(volatile uint16_t *index, uint16_t value) {
  const uint8_t status = SREG;
  cli();
  *index = value;
  SREG = status;
}
#else
static uint16_t index_read(const volatile uint16_t *index) { return *index; }
static void index_write(volatile uint16_t *index, uint16_t value) { *index = value; }
#endif

static uint16_t ring_next(const qcs_agent_t *agent, uint16_t i) {
  return (uint16_t)(i + 1U == agent->rx_bytes ? 0U : i + 1U);
}

static bool ring_full(const qcs_agent_t *agent) {
  return ring_next(agent, index_read(&agent->ring_in)) == index_read(&agent->ring_out);
}

void qcs_agent_receive(qcs_agent_t *agent, uint8_t byte) {
  if (ring_full(agent)) {
    agent->stats.overruns++;
    return;
  }
  const uint16_t in = index_read(&agent->ring_in);
  agent->ring[in] = byte;
  index_write(&agent->ring_in, ring_next(agent, in));
}

static void body_start(qcs_agent_t *agent) {
  agent->body_bytes = 0;
  agent->body_crc = 0xFFFFFFFFU;
  agent->block = 0;
  agent->block_left = 0;
  agent->too_long = false;
}

static void body_put(qcs_agent_t *agent, uint8_t byte) {
  agent->body_crc = crc_add(agent->body_crc, byte);
  if (agent->body_bytes == agent->rx_bytes)
    agent->too_long = true;
  else
    agent->body[agent->body_bytes++] = byte;
}

/* Is what lies between the last two zeros a frame? Counts what is not. */
static bool body_check(qcs_agent_t *agent) {
  if (agent->block == 0)
    return false; /* empty stretch */
  if (agent->block_left != 0 || agent->body_bytes < HEADER_BYTES + CRC_BYTES ||
      agent->body_crc != CRC_RESIDUE) {
    agent->stats.crc_errors++;
    return false;
  }
  return true;
}

/* Take one COBS byte. Returns true when the body is a whole, correct frame. */
static bool body_take(qcs_agent_t *agent, uint8_t byte) {
  if (byte == 0) {
    const bool good = body_check(agent);
    if (!good)
      body_start(agent);
    return good;
  }
  if (agent->block_left != 0) {
    body_put(agent, byte);
    agent->block_left--;
  } else { /* a code byte; the block before it ends in a zero unless it was a full one */
    if (agent->block != 0 && agent->block != 0xFF)
      body_put(agent, 0);
    agent->block = byte;
    agent->block_left = (uint8_t)(byte - 1U);
  }
  return false;
}

/* ---- sending ---- */

static uint16_t tx_next(uint16_t i) {
  return (uint16_t)(i + 1U == QCS_AGENT_TX_BYTES ? 0U : i + 1U);
}

static void tx_raw(qcs_agent_t *agent, uint8_t byte) {
  agent->tx[agent->tx_in] = byte;
  agent->tx_in = tx_next(agent->tx_in);
}

static void tx_open_block(qcs_agent_t *agent) {
  agent->tx_open = agent->tx_in;
  agent->run = 1;
  tx_raw(agent, 0);
}

/* Append one byte of the body. Needs room for two. */
static void tx_put(qcs_agent_t *agent, uint8_t byte) {
  agent->tx_crc = crc_add(agent->tx_crc, byte);
  if (byte != 0) {
    tx_raw(agent, byte);
    agent->run++;
  }
  if (byte == 0 || agent->run == 0xFF) {
    agent->tx[agent->tx_open] = agent->run;
    tx_open_block(agent);
  }
}

static void tx_close(qcs_agent_t *agent) {
  agent->tx[agent->tx_open] = agent->run;
  tx_raw(agent, 0);
  agent->tx_open = agent->tx_in;
}

static bool tx_has_room(const qcs_agent_t *agent) {
  const uint16_t a = tx_next(agent->tx_in);
  const uint16_t b = tx_next(a);
  return a != agent->tx_out && b != agent->tx_out && tx_next(b) != agent->tx_out;
}

/* Hand finished bytes to the hardware. Returns whether there were any. */
static bool tx_send(qcs_agent_t *agent) {
  const uint16_t end = agent->tx_open >= agent->tx_out ? agent->tx_open : QCS_AGENT_TX_BYTES;
  const uint16_t n = (uint16_t)(end - agent->tx_out);
  if (n == 0)
    return false;
  const uint16_t sent = agent->io->write(agent->io->context, agent->tx + agent->tx_out, n);
  agent->tx_out = (uint16_t)(agent->tx_out + sent);
  if (agent->tx_out == QCS_AGENT_TX_BYTES)
    agent->tx_out = 0;
  return true;
}

/* ---- replying ---- */

static void segment(qcs_agent_t *agent, const uint8_t *bytes, uint16_t n, uint8_t then) {
  agent->segment = bytes;
  agent->segment_bytes = n;
  agent->stage = then;
}

/* Start a reply to the frame in the body; note[count] is its payload or the start of it. */
static void reply(qcs_agent_t *agent, uint8_t type, uint8_t payload_bytes) {
  agent->header[0] = QCS_PROTOCOL;
  agent->header[1] = type;
  agent->header[2] = agent->body[2];
  agent->header[3] = agent->body[3];
  agent->done = payload_bytes;
  agent->tx_crc = 0xFFFFFFFFU;
  segment(agent, agent->header, HEADER_BYTES, PAYLOAD);
  tx_raw(agent, 0);
  tx_open_block(agent);
}

static void reply_error(qcs_agent_t *agent, uint8_t code, uint32_t detail) {
  agent->note[0] = code;
  memcpy(agent->note + 1, &detail, 4);
  reply(agent, ERROR, 5);
}

static void reply_info(qcs_agent_t *agent) {
  static const uint8_t version[3] = FIRMWARE_VERSION;
  const qcs_codec_t *const codec = agent->codec;
  uint8_t *const note = agent->note;
  note[0] = QCS_PROTOCOL;
  memcpy(note + 1, version, 3);
  memcpy(note + 4, codec->id, 8);
  memcpy(note + 12, &codec->inputs, 2);
  memcpy(note + 14, &codec->outputs, 2);
  memcpy(note + 16, &codec->levels, 2);
  note[18] = codec->kind;
  note[19] = (uint8_t)(codec->input_types | INFO_REPEATS | (agent->io->set_baud ? INFO_BAUD : 0));
  memcpy(note + 20, &codec->packed_bytes_max, 2);
  memcpy(note + 22, &agent->rx_bytes, 2);
  note[24] = agent->max_batch;
  note[25] = agent->io->tick_source;
  memcpy(note + 26, &agent->io->tick_hz, 4);
  memcpy(note + 30, &codec->windows, 2);
  reply(agent, HELLO + REPLY, 32);
}

/* Start a RESULT; the packets follow one by one. */
static void reply_result(qcs_agent_t *agent) {
  agent->note[0] = agent->count;
  reply(agent, ENCODE + REPLY, 1);
}

static void reply_encode(qcs_agent_t *agent, uint16_t payload_bytes) {
  const uint8_t input = agent->body[HEADER_BYTES];
  const uint8_t count = agent->body[HEADER_BYTES + 1];
  const uint8_t type = input & 0x0FU, repeats_log2 = input >> 4;
  const uint32_t packet = (uint32_t)agent->codec->inputs << (type == QCS_INPUT_COUNTS ? 1 : 0);
  uint16_t seq;
  memcpy(&seq, agent->body + 2, 2);
  if (payload_bytes < 2U)
    reply_error(agent, E_LENGTH, payload_bytes);
  else if (type == 0 || type > QCS_INPUT_COUNTS || repeats_log2 > 8 ||
           (agent->codec->input_types & type) == 0)
    reply_error(agent, E_INPUT_TYPE, input);
  else if (count == 0 || count > agent->max_batch)
    reply_error(agent, E_BATCH, agent->max_batch);
  else if (payload_bytes != 2U + count * packet)
    reply_error(agent, E_LENGTH, payload_bytes);
  else {
    if (agent->last_valid && agent->last_seq == seq)
      agent->stats.duplicates++;
    agent->last_seq = seq;
    agent->last_valid = true;
    agent->input_type = type;
    agent->count = count;
    agent->repeats = (uint16_t)((1U << repeats_log2) - 1U);
    reply_result(agent);
  }
}

static void reply_baud(qcs_agent_t *agent) {
  const qcs_agent_io_t *const io = agent->io;
  uint32_t baud;
  memcpy(&baud, agent->body + HEADER_BYTES, 4);
  if (io->set_baud && baud != 0 && io->set_baud(io->context, baud, false)) {
    agent->baud_wanted = baud;
    memcpy(agent->note, &baud, 4);
    reply(agent, BAUD + REPLY, 4);
  } else
    reply_error(agent, E_TYPE, BAUD);
}

/* Answer the frame in the body. */
static void dispatch(qcs_agent_t *agent) {
  const uint16_t payload_bytes = (uint16_t)(agent->body_bytes - HEADER_BYTES - CRC_BYTES);
  const uint8_t type = agent->body[1];
  agent->stats.frames++;
  if (agent->too_long) {
    agent->stats.overruns++;
    reply_error(agent, E_TOO_LONG, agent->rx_bytes);
  } else if (agent->body[0] != QCS_PROTOCOL)
    reply_error(agent, E_VERSION, QCS_PROTOCOL);
  else if (type == ENCODE)
    reply_encode(agent, payload_bytes);
  else if (type == ECHO)
    reply(agent, ECHO + REPLY, 0);
  else if (type == 0 || type > BAUD)
    reply_error(agent, E_TYPE, type);
  else if (payload_bytes != (type == BAUD ? 4 : 0))
    reply_error(agent, E_LENGTH, payload_bytes);
  else if (type == BAUD)
    reply_baud(agent);
  else if (type == HELLO)
    reply_info(agent);
  else if (type == STATS) {
    memcpy(agent->note, &agent->stats, sizeof agent->stats);
    reply(agent, STATS + REPLY, sizeof agent->stats);
  } else {
    memset(&agent->stats, 0, sizeof agent->stats);
    agent->last_valid = false;
    reply(agent, RESET + REPLY, 0);
  }
}

/* Encode the next packet of the body; its tick, length and bytes become the segment. */
static void encode_next(qcs_agent_t *agent) {
  const qcs_codec_t *const codec = agent->codec;
  const uint32_t packet = (uint32_t)codec->inputs
                          << (agent->input_type == QCS_INPUT_COUNTS ? 1 : 0);
  const uint8_t *const input = agent->body + PACKETS_AT + agent->done * packet;
  uint8_t *const out = agent->work + codec->scratch_bytes;
  uint32_t (*const ticks)(void *) = agent->io->ticks;
  const uint32_t start = ticks ? ticks(agent->io->context) : 0U;
  QCS_MARK_BEGIN();
  const uint16_t length =
      codec->encode(codec, agent->input_type, input, out + TICK_BYTES + LENGTH_BYTES, agent->work);
  QCS_MARK_END();
  const uint32_t elapsed = ticks ? ticks(agent->io->context) - start : 0U;
  memcpy(out, &elapsed, TICK_BYTES);
  memcpy(out + TICK_BYTES, &length, LENGTH_BYTES);
  agent->done++;
  segment(agent, out, (uint16_t)(TICK_BYTES + LENGTH_BYTES + length), PACKETS);
}

/* The reply is in the ring. A host may ask for its RESULT several times over a bad line: encode
 * again. */
static void finish(qcs_agent_t *agent) {
  if (agent->repeats != 0) {
    agent->repeats--;
    reply_result(agent);
    return;
  }
  if (agent->baud_wanted != 0 && agent->trial_bytes == 0) {
    if (agent->tx_out != agent->tx_in ||
        !agent->io->set_baud(agent->io->context, agent->baud_wanted, true))
      return;
    agent->trial_bytes = TRIAL_BYTES;
    agent->trial_bad = TRIAL_BAD;
  }
  body_start(agent);
  agent->stage = LISTEN;
}

/* The segment is out: what comes next? */
static void advance(qcs_agent_t *agent) {
  const uint8_t type = agent->header[1];
  switch (agent->stage) {
  case PAYLOAD:
    if (type == ECHO + REPLY)
      segment(agent, agent->body + HEADER_BYTES,
              (uint16_t)(agent->body_bytes - HEADER_BYTES - CRC_BYTES), SEAL);
    else
      segment(agent, agent->note, agent->done, type == ENCODE + REPLY ? PACKETS : SEAL);
    agent->done = 0;
    break;
  case PACKETS:
    if (agent->done < agent->count)
      encode_next(agent);
    else
      agent->stage = SEAL;
    break;
  case SEAL: {
    const uint32_t crc = ~agent->tx_crc;
    memcpy(agent->note, &crc, 4);
    segment(agent, agent->note, CRC_BYTES, CLOSE);
    break;
  }
  case CLOSE:
    tx_close(agent);
    agent->stage = DONE;
    break;
  default:
    finish(agent);
    break;
  }
}

/* Once a new line rate stands on trial: prove it, or leave it to go_back. */
static void judge_rate(qcs_agent_t *agent, bool good, bool bad) {
  agent->trial_bytes--;
  if (bad)
    agent->trial_bad--;
  if (good) {
    agent->baud = agent->baud_wanted;
    agent->baud_wanted = 0;
    agent->trial_bytes = 0;
  } else if (agent->trial_bad == 0)
    agent->trial_bytes = 0;
}

/* A trial has failed: take the rate that stands, as soon as the port can. */
static bool go_back(qcs_agent_t *agent) {
  if (agent->stage != LISTEN || agent->baud_wanted == 0 || agent->trial_bytes != 0)
    return false;
  if (agent->io->set_baud(agent->io->context, agent->baud, true))
    agent->baud_wanted = 0;
  return true;
}

static void listen(qcs_agent_t *agent) {
  const uint32_t bad = agent->stats.crc_errors + agent->stats.overruns;
  const uint16_t out = index_read(&agent->ring_out);
  const uint8_t byte = agent->ring[out];
  index_write(&agent->ring_out, ring_next(agent, out));
  const bool good = body_take(agent, byte);
  if (agent->trial_bytes != 0)
    judge_rate(agent, good, bad != agent->stats.crc_errors + agent->stats.overruns);
  if (good)
    dispatch(agent);
}

bool qcs_agent_poll(qcs_agent_t *agent) {
  bool busy = tx_send(agent);
  if (agent->io->read && !ring_full(agent)) {
    const int byte = agent->io->read(agent->io->context);
    if (byte >= 0) {
      qcs_agent_receive(agent, (uint8_t)byte);
      busy = true;
    }
  }
  if (go_back(agent))
    return true;
  if (agent->stage == LISTEN && index_read(&agent->ring_in) == index_read(&agent->ring_out))
    return busy;
  if (!tx_has_room(agent))
    return true;
  if (agent->stage == LISTEN)
    listen(agent);
  else if (agent->segment_bytes != 0) {
    agent->segment_bytes--;
    tx_put(agent, *agent->segment++);
  } else
    advance(agent);
  return true;
}

/* Most packets of the smallest input type whose ENCODE frame fits rx_bytes. */
static uint8_t largest_batch(const qcs_codec_t *codec, uint16_t rx_bytes) {
  const uint32_t packet = (uint32_t)codec->inputs << (codec->input_types & QCS_INPUT_INT8 ? 0 : 1);
  uint8_t batch = 1;
  for (uint32_t bytes = 2U * packet; batch < 255; bytes += packet, batch++) {
    uint32_t overhead = 13;
    for (uint32_t block = 254; block <= bytes + 10U; block += 254)
      overhead++;
    if (bytes + overhead > rx_bytes)
      break;
  }
  return batch;
}

void qcs_agent_init(qcs_agent_t *agent, const qcs_codec_t *codec, const qcs_agent_io_t *io,
                    const qcs_agent_memory_t *memory) {
  memset(agent, 0, sizeof *agent);
  agent->codec = codec;
  agent->io = io;
  agent->ring = memory->ring;
  agent->body = memory->body;
  agent->rx_bytes = memory->rx_bytes;
  agent->work = memory->work;
  agent->baud = io->baud;
  agent->max_batch = largest_batch(codec, memory->rx_bytes);
  body_start(agent);
}
