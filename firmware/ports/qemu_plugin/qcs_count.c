/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU TCG plugin: counts what the processor does between two marker functions, per instruction
 * address.
 *
 *   -plugin libqcs_count.so,begin=0x1234,end=0x5678,out=FILE[,phase=0x12:0x34...]
 *
 * A phase starts whenever one of the `phase` addresses runs (a layer's function is entered); phase
 * 0 is what comes before. FILE gets a line `encode N` (instructions) each time `end` is reached
 * after `begin`, flushed at once, and when QEMU leaves one line per instruction and phase that ran
 * in between, at PC SIZE PHASE EXECUTED LOADS STORES TAKEN LOADS and STORES are memory accesses,
 * TAKEN how often the next instruction was not the following one. Then `phase I PC`, where phase I
 * began, and `end`.
 *
 * QEMU's plugin interface (version 1, since QEMU 4.2) is declared here by hand: distributions ship
 * no header. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*cb)(unsigned, void *),
                                            enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*cb)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw rw,
                                      void *data);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
                                    void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

enum { PHASES = 32, BUCKETS = 1 << 14 };

typedef struct {
  uint64_t executed, loads, stores, taken;
} counts_t;

/* One instruction of the firmware. Records live as long as the process: translated code points to
 * them. */
typedef struct place {
  uint64_t pc;
  size_t size;
  bool starts_phase;
  counts_t in[PHASES];
  struct place *next;
} place_t;

static place_t *buckets[BUCKETS];
static uint64_t begin_pc, end_pc, count;
static uint64_t starts[PHASES]; /* addresses that start a phase, 0 after the last */
static uint64_t phase_pc[PHASES];
static unsigned phase, previous_phase;
static bool counting;
static place_t *previous;
static FILE *out;

static bool starts_phase(uint64_t pc) {
  for (size_t i = 0; i < PHASES && starts[i]; i++)
    if (starts[i] == pc)
      return true;
  return false;
}

static place_t *place_at(uint64_t pc, size_t size) {
  place_t **slot = &buckets[(pc >> 1) % BUCKETS];
  for (place_t *place = *slot; place; place = place->next)
    if (place->pc == pc)
      return place;
  place_t *const place = calloc(1, sizeof *place);
  if (!place)
    abort();
  place->pc = pc;
  place->size = size;
  place->starts_phase = starts_phase(pc);
  place->next = *slot;
  *slot = place;
  return place;
}

static void on_instruction(unsigned cpu, void *data) {
  place_t *const place = data;
  (void)cpu;
  if (!counting) {
    if (place->pc == begin_pc) {
      counting = true;
      count = 0;
      phase = 0;
      previous = NULL; /* the marker's own return does not count */
    }
    return;
  }
  if (previous && previous->pc + previous->size != place->pc)
    previous->in[previous_phase].taken++;
  if (place->pc == end_pc) {
    counting = false;
    fprintf(out, "encode %" PRIu64 "\n", count);
    (void)fflush(out);
    return;
  }
  if (place->starts_phase && phase + 1 < PHASES)
    phase_pc[++phase] = place->pc;
  previous = place;
  previous_phase = phase;
  place->in[phase].executed++;
  count++;
}

static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
  place_t *const place = data;
  (void)cpu;
  (void)address;
  if (!counting || place->pc == begin_pc)
    return;
  if (qemu_plugin_mem_is_store(info))
    place->in[phase].stores++;
  else
    place->in[phase].loads++;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
    place_t *const place = place_at(qemu_plugin_insn_vaddr(insn), qemu_plugin_insn_size(insn));
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, QEMU_PLUGIN_CB_NO_REGS, place);
    qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     place);
  }
}

static void on_exit(qemu_plugin_id_t id, void *data) {
  (void)id;
  (void)data;
  for (size_t i = 0; i < BUCKETS; i++)
    for (const place_t *p = buckets[i]; p; p = p->next)
      for (unsigned k = 0; k < PHASES; k++)
        if (p->in[k].executed)
          fprintf(out, "at %" PRIx64 " %zu %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                  p->pc, p->size, k, p->in[k].executed, p->in[k].loads, p->in[k].stores,
                  p->in[k].taken);
  for (unsigned k = 1; k < PHASES && phase_pc[k]; k++)
    fprintf(out, "phase %u %" PRIx64 "\n", k, phase_pc[k]);
  fputs("end\n", out);
  (void)fclose(out);
}

/* "0x12:0x34" -> starts[] */
static void read_starts(char *text) {
  for (size_t i = 0; i + 1 < PHASES && *text; i++) {
    starts[i] = strtoull(text, &text, 0);
    if (*text == ':')
      text++;
  }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                        char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "begin=", 6) == 0)
      begin_pc = strtoull(argv[i] + 6, NULL, 0);
    else if (strncmp(argv[i], "end=", 4) == 0)
      end_pc = strtoull(argv[i] + 4, NULL, 0);
    else if (strncmp(argv[i], "phase=", 6) == 0)
      read_starts(argv[i] + 6);
    else if (strncmp(argv[i], "out=", 4) == 0)
      out = fopen(argv[i] + 4, "w");
  }
  if (!begin_pc || !end_pc || !out) {
    fputs("qcs_count: needs begin=, end= and a writable out=\n", stderr);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  qemu_plugin_register_atexit_cb(id, on_exit, NULL);
  return 0;
}
