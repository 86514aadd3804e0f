/* One model's packets under sanitizers, every buffer on the heap and of exactly the stated size.
 *
 *   guarded_encode MODEL INPUT_TYPE < inputs > packets
 *
 * Built with models.c, which test_guarded_encode.py generates. Each packet is encoded twice: with
 * all buffers aligned well, and as badly as qcs.h allows; scratch and packed hold something else
 * each time. Then all of them as a batch, and as blocks where the codec has them. Prints
 * packed_bytes_max bytes per packet, zeros behind its length: there an encoder may leave anything,
 * such as the end of a try that was too long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guarded_models.h"
#include "qcs_host.h"

_Static_assert(QCS_LAYOUT == WANTED_LAYOUT, "the build asks for another form of the tables");

static void need(int holds, const char what[]) {
  if (!holds) {
    fprintf(stderr, "guarded_encode: %s\n", what);
    exit(1);
  }
}

/* Exactly `bytes` on the heap, `offset` bytes behind an address aligned to 16. */
typedef struct {
  uint8_t *base, *at;
  size_t offset, bytes;
  uint8_t fill;
} memory_t;

static memory_t take(size_t bytes, size_t offset, uint8_t fill) {
  uint8_t *const base = malloc(offset + bytes ? offset + bytes : 1U);
  need(base != NULL, "no memory");
  memset(base, fill, offset + bytes);
  return (memory_t){base, base + offset, offset, bytes, fill};
}

static void give_back(memory_t memory) {
  for (size_t i = 0; i < memory.offset; i++)
    need(memory.base[i] == memory.fill, "something was written before a buffer");
  free(memory.base);
}

static uint16_t encode(const guarded_model_t *model, uint8_t type, size_t bytes,
                       const uint8_t *input, int badly, uint8_t fill, uint8_t out[]) {
  const size_t entry = type == QCS_INPUT_COUNTS ? 2U : 1U, most = model->codec->packed_bytes_max;
  memory_t in = take(bytes, badly ? entry : 0U, fill);
  memory_t packed = take(most, badly ? 1U : 0U, fill),
           scratch = take(model->scratch_bytes, badly ? 4U : 0U, fill);
  memcpy(in.at, input, bytes);
  const uint16_t length = model->codec->encode(model->codec, type, in.at, packed.at, scratch.at);
  need(length >= 1 && length <= most, "a length that is not 1 .. packed_bytes_max");
  need(memcmp(in.at, input, bytes) == 0, "the input was changed");
  memset(out, 0, most);
  memcpy(out, packed.at, length);
  give_back(in);
  give_back(packed);
  give_back(scratch);
  return length;
}

/* Whether two rows of packets agree, as far as each packet goes. */
static int same(size_t n, size_t most, const uint16_t lengths[], const uint8_t *a,
                const uint8_t *b) {
  for (size_t i = 0; i < n; i++) {
    if (memcmp(a + i * most, b + i * most, lengths[i]) != 0)
      return 0;
  }
  return 1;
}

static void batches(const guarded_model_t *model, uint8_t type, size_t n, size_t bytes,
                    const uint8_t *inputs, const uint8_t *wanted, const uint16_t *lengths_wanted) {
  const size_t most = model->codec->packed_bytes_max;
  memory_t in = take(n * bytes, 0, 0), packed = take(n * most, 0, 0), lengths = take(2U * n, 0, 0);
  memory_t scratch = take(model->scratch_bytes, 0, 0x5A);
  memcpy(in.at, inputs, n * bytes);
  qcs_host_batch(model->codec, type, in.at, n, packed.at, (uint16_t *)(void *)lengths.at,
                 scratch.at);
  need(memcmp(lengths.at, lengths_wanted, 2U * n) == 0 &&
           same(n, most, lengths_wanted, packed.at, wanted),
       "a batch gives other packets");
  const size_t entries =
      WANTED_LAYOUT == QCS_LAYOUT_PLAIN ? qcs_host_block_entries(model->codec) : 0;
  if (entries > 0 && type == QCS_INPUT_INT8) {
    memory_t block = take(2U * entries, 0, 0x5A);
    memset(packed.at, 0x5A, n * most);
    qcs_host_block(model->codec, (const int8_t *)in.at, n, packed.at, (int16_t *)(void *)block.at);
    need(memcmp(packed.at, wanted, n * most) == 0, "blocks give other packets");
    give_back(block);
  }
  give_back(in);
  give_back(packed);
  give_back(lengths);
  give_back(scratch);
}

int main(int argc, char **argv) {
  need(argc == 3, "usage: guarded_encode MODEL INPUT_TYPE < inputs > packets");
  const guarded_model_t *const model = &guarded_models[atoi(argv[1])];
  const uint8_t type = (uint8_t)atoi(argv[2]);
  const size_t bytes = (size_t)model->codec->inputs * (type == QCS_INPUT_COUNTS ? 2U : 1U);
  const size_t most = model->codec->packed_bytes_max;
  need(model->codec->scratch_bytes == (model->scratch_bytes + 3U) / 4U * 4U,
       "scratch_bytes is not that of the header");
  need(model->agent_bytes >= model->codec->scratch_bytes + 6U + most,
       "the agent's memory is too small");
  uint8_t *inputs = NULL, *packets = NULL;
  uint16_t *lengths = NULL;
  size_t n = 0;
  for (;; n++) {
    inputs = realloc(inputs, (n + 1) * bytes);
    packets = realloc(packets, (n + 1) * most);
    lengths = realloc(lengths, (n + 1) * sizeof *lengths);
    need(inputs != NULL && packets != NULL && lengths != NULL, "no memory");
    if (fread(inputs + n * bytes, bytes, 1, stdin) != 1)
      break;
    uint8_t *const good = packets + n * most, *const bad = malloc(most);
    need(bad != NULL, "no memory");
    lengths[n] = encode(model, type, bytes, inputs + n * bytes, 0, (uint8_t)(0xC3U + n), good);
    need(encode(model, type, bytes, inputs + n * bytes, 1, (uint8_t)(0x3CU - n), bad) == lengths[n],
         "lengths differ");
    need(memcmp(good, bad, most) == 0,
         "a packet depends on where its buffers are, or on what they held");
    free(bad);
  }
  batches(model, type, n, bytes, inputs, packets, lengths);
  need(fwrite(packets, most, n, stdout) == n, "cannot write");
  free(inputs);
  free(packets);
  free(lengths);
  return 0;
}
