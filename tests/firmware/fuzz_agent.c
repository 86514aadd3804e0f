/* Feeds the agent garbage and mutated frames, then asks HELLO: it must always answer. Built with
 * ASan and UBSan. own driver:  fuzz_agent COUNT SEED       libFuzzer: built with -DLIBFUZZER
 * -fsanitize=fuzzer */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcs_agent.h"

enum { INPUTS = 7, PACKED = 5, RX = 96, OUT = 4096 };

static const uint8_t *in;
static size_t in_left;
static uint8_t out[OUT];
static size_t out_held;
static unsigned slow;

static int read_byte(void *context) {
  (void)context;
  if (in_left == 0)
    return -1;
  in_left--;
  return *in++;
}

/* Takes sometimes nothing, sometimes one byte, sometimes all; keeps the last OUT bytes. */
static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  (void)context;
  slow = slow * 1103515245U + 12345U;
  const uint16_t take = (slow >> 16) % 3U == 0 ? 0 : (slow >> 16) % 3U == 1 ? 1 : n;
  for (uint16_t i = 0; i < take; i++) {
    if (out_held == OUT) {
      memmove(out, out + OUT / 2, OUT / 2);
      out_held = OUT / 2;
    }
    out[out_held++] = bytes[i];
  }
  return take;
}

static uint32_t ticks(void *context) {
  (void)context;
  return slow;
}

static bool set_baud(void *context, uint32_t baud, bool now) {
  (void)context;
  slow = slow * 1103515245U + 12345U;
  return baud < 1000000 && (!now || (slow & 0x10000U));
}

/* Packets of 1 .. PACKED bytes. */
static uint16_t encode(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[],
                       void *scratch) {
  uint8_t sum =
      0; /* reads every input byte and writes every output byte, for the sanitizers to see */
  for (size_t i = 0; i < (size_t)INPUTS * (type == QCS_INPUT_COUNTS ? 2U : 1U); i++)
    sum = (uint8_t)(sum + ((const uint8_t *)input)[i]);
  memset(scratch, 0, codec->scratch_bytes);
  memset(packed, sum, PACKED);
  return (uint16_t)(1U + sum % PACKED);
}

static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const qcs_codec_t codec = {.model = id,
                                  .id = id,
                                  .inputs = INPUTS,
                                  .outputs = 5,
                                  .levels = 256,
                                  .windows = 1,
                                  .packed_bytes_max = PACKED,
                                  .scratch_bytes = 4,
                                  .kind = 1,
                                  .input_types = 3,
                                  .encode = encode};
static const qcs_agent_io_t io = {.read = read_byte,
                                  .write = write_bytes,
                                  .ticks = ticks,
                                  .set_baud = set_baud,
                                  .baud = 115200,
                                  .tick_source = 3,
                                  .tick_hz = 1};
static qcs_agent_t agent;

static bool interrupt_fed; /* deliver through qcs_agent_receive, in bursts, instead of `read` */

static void feed(const uint8_t *bytes, size_t n) {
  unsigned quiet = 0;
  in = bytes;
  in_left = n;
  while (interrupt_fed && in_left > 0) {
    for (size_t burst = 1 + in_left % 7; burst > 0 && in_left > 0; burst--, in_left--)
      qcs_agent_receive(&agent, *in++);
    for (int polls = 0; polls < 40; polls++) /* the main loop runs in between */
      (void)qcs_agent_poll(&agent);
  }
  while (quiet < 4)
    quiet = qcs_agent_poll(&agent) ? 0 : quiet + 1;
}

static uint32_t crc32(const uint8_t *bytes, size_t n) { /* bit by bit: not the agent's way */
  uint32_t crc = 0xFFFFFFFFU;
  for (size_t i = 0; i < n; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ ((crc & 1U) ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

/* Write 0, COBS(body + CRC), 0. Returns its length. */
static size_t make_frame(uint8_t *to, uint8_t *body, size_t n) {
  const uint32_t crc = crc32(body, n);
  memcpy(body + n, &crc, 4);
  size_t code = 1, at = 2;
  to[0] = 0;
  for (size_t i = 0; i < n + 4; i++) {
    if (body[i] != 0)
      to[at++] = body[i];
    if (body[i] == 0 || at - code == 255) {
      to[code] = (uint8_t)(at - code);
      code = at++;
    }
  }
  to[code] = (uint8_t)(at - code);
  to[at++] = 0;
  return at;
}

/* Is there a frame INFO with this seq at the end of what came out? */
static void must_answer(uint16_t seq) {
  uint8_t body[64];
  size_t start = out_held - 1, n = 0;
  if (out_held < 2 || out[out_held - 1] != 0)
    goto silent;
  while (start > 0 && out[start - 1] != 0)
    start--;
  for (size_t i = start; i < out_held - 1;) {
    const uint8_t code = out[i++];
    for (uint8_t k = 1; k < code && n < sizeof body; k++)
      body[n++] = out[i++];
    if (code != 0xFF && i < out_held - 1 && n < sizeof body)
      body[n++] = 0;
  }
  if (n == 40 && body[1] == 0x81 && body[2] == (seq & 255) && body[3] == seq >> 8 &&
      crc32(body, n) == 0x2144DF1CU)
    return;
silent:
  fprintf(stderr, "the agent does not answer HELLO any more\n");
  abort();
}

static void start(void) {
  static qcs_agent_memory_t memory;
  if (!memory.ring) { /* on the heap, so that ASan guards both ends */
    memory = (qcs_agent_memory_t){malloc(RX), malloc(RX), RX, malloc(4 + 6 + PACKED)};
    qcs_agent_init(&agent, &codec, &io, &memory);
  }
}

static void hello(uint16_t seq) {
  uint8_t body[16] = {QCS_PROTOCOL, 1, (uint8_t)(seq & 255), (uint8_t)(seq >> 8)}, frame[32];
  feed(frame, make_frame(frame, body, 4));
  must_answer(seq);
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static uint16_t seq;
  uint8_t body[256], frame[300];
  start();
  feed(data, n);                         /* as raw bytes */
  memcpy(body, data, n < 200 ? n : 200); /* and as the body of a correct frame */
  feed(frame, make_frame(frame, body, n < 200 ? n : 200));
  hello(seq++);
  return 0;
}
#else

static uint64_t state;

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

/* A frame of the protocol with random fields, now and then wrong ones. */
static size_t random_frame(uint8_t *frame) {
  uint8_t body[256] = {draw(50) ? QCS_PROTOCOL : (uint8_t)draw(256),
                       draw(8) ? (uint8_t)draw(8) : (uint8_t)draw(256)};
  size_t n = 4;
  body[2] = (uint8_t)draw(3);
  if (body[1] == 2 && draw(10)) {
    body[4] = (uint8_t)(1 + draw(2) + (draw(9) ? 0 : 16U * draw(16)));
    body[5] = (uint8_t)(1 + draw(12));
    n = 6 + (size_t)body[5] * INPUTS * (body[4] & 3U);
  } else if (body[1] == 6 && draw(10)) {
    n = 8;
    body[5] = (uint8_t)draw(8);
    body[6] = (uint8_t)draw(256);
  } else if (draw(2))
    n += draw(120);
  for (size_t i = 6; i < n; i++)
    body[i] = draw(3) ? (uint8_t)draw(256) : 0;
  return make_frame(frame, body, n);
}

/* Lose, flip, double, insert; then feed. */
static size_t mutate(uint8_t *to, const uint8_t *from, size_t n, uint32_t one_in) {
  size_t k = 0;
  for (size_t i = 0; i < n; i++) {
    const uint32_t what = draw(4 * one_in);
    if (what == 0)
      continue;
    to[k++] = what == 1 ? (uint8_t)(from[i] ^ (1U << draw(8))) : from[i];
    if (what == 2)
      to[k++] = from[i];
    if (what == 3)
      to[k++] = (uint8_t)draw(256);
  }
  return k;
}

int main(int argc, char **argv) {
  const unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
  state = 88172645463325252U + (argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
  start();
  for (unsigned long i = 0; i < count; i++) {
    uint8_t frame[400], damaged[900];
    size_t n;
    if (draw(10) == 0) {
      n = draw(300);
      for (size_t k = 0; k < n; k++)
        damaged[k] = (uint8_t)draw(256);
    } else {
      n = random_frame(frame);
      n = mutate(damaged, frame, n, draw(3) ? 5 + draw(60) : 1000000);
    }
    interrupt_fed = draw(2);
    feed(damaged, n);
    interrupt_fed = false;
    if (i % 4 == 0)
      hello((uint16_t)i);
  }
  hello(0xFFFF);
  printf("%lu inputs; frames %u, damaged %u, too long %u, duplicates %u\n", count,
         agent.stats.frames, agent.stats.crc_errors, agent.stats.overruns, agent.stats.duplicates);
  return 0;
}
#endif
