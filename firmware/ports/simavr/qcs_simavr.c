/* SPDX-License-Identifier: Apache-2.0 */
/* An AVR on the host: libsimavr behind a pseudo-terminal, with cycle-accurate counts between two
 * marker functions.
 *
 *   qcs_simavr FIRMWARE.elf MCU HZ [begin=ADDRESS end=ADDRESS out=FILE phase=ADDRESS:ADDRESS...]
 *
 * Prints the terminal's path. Addresses are byte addresses. The file is that of the QEMU counter
 * (qcs_count.c) with a column for cycles: `encode INSTRUCTIONS CYCLES`, `at PC SIZE PHASE EXECUTED
 * 0 0 TAKEN CYCLES`; accesses are not counted. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

static int line = -1;
static volatile sig_atomic_t stop;
static bool may_send = true;  /* the UART's input fifo has room */
static uint8_t to_host[4096]; /* collected, so that not every byte is a system call */
static size_t to_host_bytes;

static void on_signal(int number) {
  (void)number;
  stop = 1;
}

static void fail(const char *what) {
  fprintf(stderr, "qcs_simavr: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void make_terminal(void) {
  struct termios settings;
  line = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (line < 0 || grantpt(line) != 0 || unlockpt(line) != 0)
    fail("posix_openpt");
  const char *const name = ptsname(line);
  const int other = name ? open(name, O_RDWR | O_NOCTTY) : -1; /* kept open: reads fail otherwise */
  if (other < 0 || tcgetattr(other, &settings) != 0)
    fail("ptsname");
  cfmakeraw(&settings);
  if (tcsetattr(other, TCSANOW, &settings) != 0)
    fail("tcsetattr");
  printf("%s\n", name);
  (void)fflush(stdout);
}

static void flush_to_host(void) {
  size_t done = 0;
  while (done < to_host_bytes && !stop) {
    const ssize_t n = write(line, to_host + done, to_host_bytes - done);
    if (n > 0) {
      done += (size_t)n;
    } else {
      struct pollfd ready = {.fd = line, .events = POLLOUT, .revents = 0};
      (void)poll(&ready, 1, 10);
    }
  }
  to_host_bytes = 0;
}

static void on_output(avr_irq_t *irq, uint32_t value, void *data) {
  (void)irq;
  (void)data;
  to_host[to_host_bytes++] = (uint8_t)value;
  if (to_host_bytes == sizeof to_host)
    flush_to_host();
}

static void on_xon(avr_irq_t *irq, uint32_t value, void *data) {
  (void)irq;
  (void)value;
  (void)data;
  may_send = true;
}

static void on_xoff(avr_irq_t *irq, uint32_t value, void *data) {
  (void)irq;
  (void)value;
  (void)data;
  may_send = false;
}

/* Give the UART what the host sent, as far as it takes it. */
static void feed(avr_t *avr) {
  static uint8_t held[4096];
  static ssize_t count, next;
  avr_irq_t *const input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  if (next == count) {
    next = 0;
    count = read(line, held, sizeof held);
    if (count < 0)
      count = 0;
  }
  while (may_send && next < count)
    avr_raise_irq(input, held[next++]);
}

/* The core sleeps for `cycles`, until its next timer or UART event. If that is soon, time just
 * passes; otherwise nothing goes on in it, and the host process sleeps too until a byte arrives or
 * a little time has passed. */
static void on_sleep(avr_t *avr, avr_cycle_count_t cycles) {
  struct pollfd ready = {.fd = line, .events = POLLIN, .revents = 0};
  if (cycles < avr->frequency / 1000U)
    return;
  flush_to_host();
  (void)poll(&ready, 1, 2);
}

/* ---- counting ---- */

enum { PHASES = 32, WORDS = 1 << 17 };

typedef struct {
  uint64_t executed, taken, cycles;
} place_t;

static place_t *places[PHASES]; /* WORDS of them, for the phases that occur */
static uint32_t begin_pc, end_pc, starts[PHASES], phase_pc[PHASES];
static unsigned phase;
static FILE *out;

/* Bytes of the instruction at pc: LDS, STS, JMP and CALL have two words. */
static uint32_t size_at(const avr_t *avr, uint32_t pc) {
  const uint16_t word = (uint16_t)(avr->flash[pc] | avr->flash[pc + 1] << 8);
  return (word & 0xFC0FU) == 0x9000U || (word & 0xFE0CU) == 0x940CU ? 4 : 2;
}

static void enter_phase(unsigned number, uint32_t pc) {
  phase = number;
  phase_pc[number] = pc;
  if (!places[number] && !(places[number] = calloc(WORDS, sizeof(place_t))))
    fail("memory");
}

static bool starts_phase(uint32_t pc) {
  for (size_t i = 0; i < PHASES && starts[i]; i++)
    if (starts[i] == pc)
      return true;
  return false;
}

/* Run one instruction and count it if it lies between the markers. */
static int counted_step(avr_t *avr) {
  static bool counting;
  static uint64_t instructions, first_cycle;
  const uint32_t pc = avr->pc;
  const avr_cycle_count_t before = avr->cycle;
  if (counting && pc == end_pc) {
    counting = false;
    fprintf(out, "encode %" PRIu64 " %" PRIu64 "\n", instructions, (uint64_t)before - first_cycle);
    (void)fflush(out);
  }
  if (counting && phase + 1 < PHASES && starts_phase(pc))
    enter_phase(phase + 1, pc);
  const int state = avr_run(avr);
  if (counting) {
    place_t *const place = &places[phase][(pc >> 1) % WORDS];
    instructions++;
    place->executed++;
    place->cycles += avr->cycle - before;
    place->taken += avr->pc != pc + size_at(avr, pc);
  } else if (pc == begin_pc) {
    counting = true;
    instructions = 0;
    first_cycle = avr->cycle;
    enter_phase(0, pc);
  }
  return state;
}

static void write_places(const avr_t *avr) {
  for (unsigned k = 0; k < PHASES && places[k]; k++)
    for (uint32_t i = 0; i < WORDS; i++) {
      const place_t *const p = &places[k][i];
      if (p->executed)
        fprintf(out, "at %x %u %u %" PRIu64 " 0 0 %" PRIu64 " %" PRIu64 "\n", i << 1,
                size_at(avr, i << 1), k, p->executed, p->taken, p->cycles);
    }
  for (unsigned k = 1; k < PHASES && places[k]; k++)
    fprintf(out, "phase %u %x\n", k, phase_pc[k]);
  fputs("end\n", out);
  (void)fclose(out);
}

/* "0x12:0x34" -> starts[] */
static void read_starts(char *text) {
  for (size_t i = 0; i + 1 < PHASES && *text; i++) {
    starts[i] = (uint32_t)strtoul(text, &text, 0);
    if (*text == ':')
      text++;
  }
}

static avr_t *make_core(const char *path, const char *mcu, uint32_t hz) {
  static elf_firmware_t firmware;
  if (elf_read_firmware(path, &firmware) != 0) {
    fprintf(stderr, "qcs_simavr: cannot read %s\n", path);
    exit(2);
  }
  avr_t *const avr = avr_make_mcu_by_name(mcu);
  if (!avr) {
    fprintf(stderr, "qcs_simavr: simavr knows no %s\n", mcu);
    exit(2);
  }
  avr_init(avr);
  firmware.frequency = hz;
  avr_load_firmware(avr, &firmware);
  avr->frequency = hz;
  avr->sleep = on_sleep;
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
  flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  const uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
  avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUTPUT), on_output, NULL);
  avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XON), on_xon, NULL);
  avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XOFF), on_xoff, NULL);
  return avr;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fputs("usage: qcs_simavr FIRMWARE.elf MCU HZ [begin= end= out=]\n", stderr);
    return 2;
  }
  avr_t *const avr = make_core(argv[1], argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
  for (int i = 4; i < argc; i++) {
    if (strncmp(argv[i], "begin=", 6) == 0)
      begin_pc = (uint32_t)strtoul(argv[i] + 6, NULL, 0);
    else if (strncmp(argv[i], "end=", 4) == 0)
      end_pc = (uint32_t)strtoul(argv[i] + 4, NULL, 0);
    else if (strncmp(argv[i], "phase=", 6) == 0)
      read_starts(argv[i] + 6);
    else if (strncmp(argv[i], "out=", 4) == 0 && !(out = fopen(argv[i] + 4, "w")))
      fail(argv[i] + 4);
  }
  (void)signal(SIGTERM, on_signal);
  (void)signal(SIGINT, on_signal);
  make_terminal();
  avr->run_cycle_limit = out ? 1 : 200; /* cycles between two looks at the line */
  int state = cpu_Running;
  for (unsigned long n = 0; !stop && state != cpu_Done && state != cpu_Crashed; n++) {
    state = out ? counted_step(avr) : avr_run(avr);
    if (n % 64 == 0) {
      flush_to_host();
      feed(avr);
    }
  }
  flush_to_host();
  if (state == cpu_Crashed)
    printf("qcs fault: pc=%08x sp=%04x\n", avr->pc,
           (unsigned)(avr->data[R_SPL] | avr->data[R_SPH] << 8));
  if (out)
    write_places(avr);
  return stop ? 0 : 1;
}
