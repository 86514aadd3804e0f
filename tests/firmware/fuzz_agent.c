/* Feeds the agent garbage, damaged, cut and whole frames of every type, then asks HELLO, which it
 * must always answer, and for a packet, which must always be the same. Built with ASan and UBSan,
 * or MSan:
 *
 *   fuzz_agent COUNT SEED [MODEL]
 *
 * MODEL: number in fuzz_models, built with -DFUZZ_MODELS; else a codec that touches all memory it
 * is given. For libFuzzer built with -DLIBFUZZER -fsanitize=fuzzer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qcs_agent.h"

#ifdef FUZZ_MODELS
extern const qcs_codec_t *const fuzz_models[];
#endif

enum { INPUTS = 7, PACKED = 5, RX = 96, OUT = 4096 };
enum { MOST_INPUTS = 256, MOST_PACKETS = 12, BODY = 10 + MOST_PACKETS * 2 * MOST_INPUTS };
enum { FRAME = QCS_AGENT_FRAME_BYTES(BODY) };

static const uint8_t *in;
static size_t in_left;
static uint8_t out[OUT];
static size_t out_held;
static unsigned slow;
static unsigned leaving; /* how often the line is asked before the last byte written has left */
static size_t since_zero;
static unsigned long replies[256]; /* by type: third byte behind a zero */

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
  leaving = (slow >> 20) % 4U;
  for (uint16_t i = 0; i < take; i++) {
    if (out_held == OUT) {
      memmove(out, out + OUT / 2, OUT / 2);
      out_held = OUT / 2;
    }
    out[out_held++] = bytes[i];
    since_zero = bytes[i] == 0 ? 0 : since_zero + 1;
    if (since_zero == 3)
      replies[bytes[i]]++;
  }
  return take;
}

static uint32_t ticks(void *context) {
  (void)context;
  return slow;
}

static uint32_t line_rate = 115200;

static bool set_baud(void *context, uint32_t baud, bool now) {
  (void)context;
  if (baud >= 1000000 || (now && leaving > 0 && leaving-- > 0))
    return false;
  if (now)
    line_rate = baud;
  return true;
}

/* Packets of 1 .. PACKED bytes. */
static uint16_t encode(const qcs_codec_t *self, uint8_t type, const void *input, uint8_t packed[],
                       void *scratch) {
  uint8_t sum =
      0; /* reads every input byte and writes every output byte, for the sanitizers to see */
  for (size_t i = 0; i < (size_t)INPUTS * (type == QCS_INPUT_COUNTS ? 2U : 1U); i++)
    sum = (uint8_t)(sum + ((const uint8_t *)input)[i]);
  memset(scratch, 0, self->scratch_bytes);
  memset(packed, sum, PACKED);
  return (uint16_t)(1U + sum % PACKED);
}

static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const qcs_codec_t own = {.model = id,
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
static const qcs_codec_t *codec = &own;
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

static void need(bool holds, const char what[]) {
  if (!holds) {
    fprintf(stderr, "%s\n", what);
    abort();
  }
}

/* Send a request and write the body of what came last; return its length, 0 if it is no reply of
 * this type with this seq. */
static size_t ask(uint8_t type, uint16_t seq, const uint8_t *payload, size_t bytes, uint8_t *body,
                  size_t room) {
  static uint8_t asked[BODY], frame[FRAME];
  memcpy(asked, ((uint8_t[4]){QCS_PROTOCOL, type, (uint8_t)(seq & 255), (uint8_t)(seq >> 8)}), 4);
  memcpy(asked + 4, payload, bytes);
  feed(frame, make_frame(frame, asked, 4 + bytes));
  size_t start = out_held - 1, n = 0;
  if (out_held < 2 || out[out_held - 1] != 0)
    return 0;
  while (start > 0 && out[start - 1] != 0)
    start--;
  for (size_t i = start; i < out_held - 1;) {
    const uint8_t code = out[i++];
    for (uint8_t k = 1; k < code && n < room; k++)
      body[n++] = out[i++];
    if (code != 0xFF && i < out_held - 1 && n < room)
      body[n++] = 0;
  }
  const bool fits = n >= 8 && body[1] == type + 0x80 && body[2] == (seq & 255) &&
                    body[3] == seq >> 8 && crc32(body, n) == 0x2144DF1CU;
  return fits ? n : 0;
}

static void start(void) {
  static qcs_agent_memory_t memory;
  if (!memory.ring) { /* on the heap, so that ASan guards both ends */
    const uint16_t rx =
        (uint16_t)(codec == &own ? RX : 3 * QCS_AGENT_FRAME_BYTES(2 * codec->inputs));
    memory = (qcs_agent_memory_t){malloc(rx), malloc(rx), rx,
                                  malloc(codec->scratch_bytes + 6U + codec->packed_bytes_max)};
    need(codec->inputs <= MOST_INPUTS && memory.ring && memory.body && memory.work,
         "a codec that this driver has no room for");
    qcs_agent_init(&agent, codec, &io, &memory);
  }
}

static void hello(uint16_t seq) {
  uint8_t body[64] = {0};
  need(ask(1, seq, body, 0, body, sizeof body) == 40, "the agent does not answer HELLO any more");
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

/* One packet for counts that never change must never change, but for its ticks. */
static void encode_again(uint16_t seq) {
  static uint8_t first[OUT], payload[2 + 2 * MOST_INPUTS];
  static size_t length;
  uint8_t body[OUT];
  for (size_t i = 0; i < 2U * codec->inputs; i++)
    payload[2 + i] = (uint8_t)(i % 2 ? i % 7 : 37 * i);
  payload[0] = QCS_INPUT_COUNTS;
  payload[1] = 1;
  const size_t n = ask(2, seq, payload, 2 + 2U * codec->inputs, body, sizeof body);
  need(n > 15, "the agent does not encode any more");
  if (length == 0) {
    length = n;
    memcpy(first, body, n);
  }
  need(n == length && memcmp(first + 9, body + 9, n - 13) == 0, "a packet changed");
}

/* Change the line rate. What comes at the new one must leave `stands`, and not before its
 * last byte. */
static void change_rate(uint32_t baud, const uint8_t *comes, size_t n, uint32_t stands) {
  uint8_t wanted[4], body[16];
  memcpy(wanted, &baud, 4);
  need(ask(6, 1, wanted, 4, body, sizeof body) == 12 && line_rate == baud, "no change of rate");
  feed(comes, n - 1);
  need(line_rate == baud, "a rate was left before its trial was over");
  leaving = 2; /* the port is still sending a line of text */
  feed(comes + n - 1, 1);
  need(line_rate == stands, "not the rate that stands");
}

/* A frame proves a new rate; 16 stretches that are none, or 256 bytes, and the one before is back.
 */
static void rates(void) {
  static const uint8_t noise[32] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0,
                                    1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
  static const uint8_t silence[256];
  uint8_t body[16] = {QCS_PROTOCOL, 1}, frame[32];
  const size_t n = make_frame(frame, body, 4);
  change_rate(9600, noise, sizeof noise, 115200);
  change_rate(9600, silence, sizeof silence, 115200);
  change_rate(9600, frame, n, 9600);
  change_rate(300, silence, sizeof silence, 9600);
  change_rate(300, noise, sizeof noise, 9600);
  change_rate(115200, frame, n, 115200);
}

/* A polled agent takes no byte that it has no room for: of requests without a pause none is lost.
 */
static void requests_without_a_pause(void) {
  enum { REQUESTS = 60 };
  static uint8_t frames[32 * REQUESTS];
  const unsigned long before = replies[0x81];
  size_t n = 0;
  for (unsigned i = 0; i < REQUESTS; i++) {
    uint8_t body[16] = {QCS_PROTOCOL, 1, (uint8_t)i};
    n += make_frame(frames + n, body, 4);
  }
  feed(frames, n);
  need(n > RX && replies[0x81] == before + REQUESTS, "a request was lost");
}

/* A frame of the protocol with random fields, now and then wrong ones. */
static size_t random_frame(uint8_t *frame) {
  static uint8_t body[BODY];
  size_t n = 4;
  body[0] = draw(50) ? QCS_PROTOCOL : (uint8_t)draw(256);
  body[1] = (uint8_t)(draw(3) == 0 ? 2U : draw(draw(8) ? 8 : 256));
  body[2] = (uint8_t)draw(3);
  body[3] = body[4] = body[5] = 0;
  if (body[1] == 2 && draw(10)) {
    body[4] = (uint8_t)(1 + draw(2) + (draw(9) ? 0 : 16U * draw(16)));
    body[5] = (uint8_t)(1 + draw(draw(2) ? 3 : MOST_PACKETS));
    n = 6 + (size_t)body[5] * codec->inputs * (body[4] & 3U);
    if (draw(10) == 0) /* a length that does not fit */
      n = draw(2) ? 6 + draw((uint32_t)n) : n + 1;
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
  static uint8_t frame[FRAME], damaged[2 * FRAME];
  enum { GARBAGE, WHOLE, DAMAGED, CUT, KINDS };
  const unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
  unsigned long kinds[KINDS] = {0};
  state = 88172645463325252U + (argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
#ifdef FUZZ_MODELS
  codec = fuzz_models[argc > 3 ? atoi(argv[3]) : 0];
#endif
  start();
  rates();
  requests_without_a_pause();
  for (unsigned long i = 0; i < count; i++) {
    const uint32_t dice = draw(30);
    const int kind = dice < 3 ? GARBAGE : dice < 12 ? WHOLE : dice < 25 ? DAMAGED : CUT;
    size_t n = kind == GARBAGE ? draw(300) : random_frame(frame);
    kinds[kind]++;
    if (kind == GARBAGE) {
      for (size_t k = 0; k < n; k++)
        damaged[k] = (uint8_t)draw(256);
    } else
      n = mutate(damaged, frame, n, kind == DAMAGED ? 5 + draw(60) : 1000000000);
    interrupt_fed = draw(2);
    feed(damaged, kind == CUT ? draw((uint32_t)n) : n);
    interrupt_fed = false;
    if (i % 4 == 0)
      hello((uint16_t)i);
    if (i % 64 == 0)
      encode_again((uint16_t)i);
  }
  hello(0xFFFF);
  printf("%lu inputs: garbage %lu, whole %lu, damaged %lu, cut %lu; ", count, kinds[GARBAGE],
         kinds[WHOLE], kinds[DAMAGED], kinds[CUT]);
  printf(
      "replies: INFO %lu, RESULT %lu, ECHOED %lu, COUNTS %lu, DONE %lu, BAUD_SET %lu, ERROR %lu\n",
      replies[0x81], replies[0x82], replies[0x83], replies[0x84], replies[0x85], replies[0x86],
      replies[0xFF]);
  return 0;
}
#endif
