/* Port for QEMU's RISC-V board `virt`: 16550 UART, interrupt line 10 of the PLIC. Ticks: the
 * instret counter, which is exact under -icount; otherwise QEMU derives it from the host's clock.
 */
#include <string.h>

#include "qcs_port.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* 16550 */
#define UART 0x10000000U
#define UART_DATA REG8(UART + 0U)
#define UART_IER REG8(UART + 1U)
#define UART_FCR REG8(UART + 2U)
#define UART_LSR REG8(UART + 5U)
#define LSR_RX_READY 0x01U
#define LSR_TX_EMPTY 0x20U

/* SiFive PLIC, context 0: machine mode of hart 0 */
#define PLIC 0x0C000000U
#define UART_LINE 10U
#define PLIC_PRIORITY REG32(PLIC + 4U * UART_LINE)
#define PLIC_ENABLE REG32(PLIC + 0x2000U)
#define PLIC_THRESHOLD REG32(PLIC + 0x200000U)
#define PLIC_CLAIM REG32(PLIC + 0x200004U)
#define MIE_EXTERNAL (1U << 11)

void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp);

static int read_byte(void *context) {
  (void)context;
  return (UART_LSR & LSR_RX_READY) ? UART_DATA : -1;
}

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  uint16_t sent = 0;
  (void)context;
  while (sent < n && (UART_LSR & LSR_TX_EMPTY))
    UART_DATA = bytes[sent++];
  return sent;
}

static uint32_t instret(void *context) {
  uint32_t value;
  (void)context;
  __asm__ volatile("csrr %0, minstret" : "=r"(value));
  return value;
}

__attribute__((noinline)) static uint32_t timed_loop(uint32_t rounds) {
  const uint32_t start = instret(NULL);
  __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b\n" : "+r"(rounds));
  return instret(NULL) - start;
}

static bool counts_instructions(void) { return timed_loop(50050) - timed_loop(50) == 100000U; }

const qcs_agent_io_t *qcs_port_start(void) {
  static qcs_agent_io_t io = {.read = read_byte, .write = write_bytes};
  UART_FCR = 1; /* FIFOs on */
  UART_IER = 1; /* receive interrupt */
  PLIC_PRIORITY = 1;
  PLIC_ENABLE = 1U << UART_LINE;
  PLIC_THRESHOLD = 0;
  __asm__ volatile("csrw mie, %0"
                   :
                   : "r"(MIE_EXTERNAL)); /* mstatus.MIE stays 0: wakes, does not trap */
  if (counts_instructions()) {
    io.ticks = instret;
    io.tick_source = QCS_TICKS_INSTRUCTIONS;
  }
  return &io;
}

void qcs_port_idle(void) {
  if (UART_LSR & LSR_RX_READY)
    return;
  __asm__ volatile("wfi" ::: "memory");
  const uint32_t line = PLIC_CLAIM;
  if (line != 0)
    PLIC_CLAIM = line;
}

static void semihost(uint32_t operation, const void *argument) {
  register uint32_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(".option push\n .option norvc\n .p2align 4\n"
                   "slli zero, zero, 0x1f\n ebreak\n srai zero, zero, 7\n .option pop\n"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
}

static char *put_hex(char *to, const char *name, uint32_t value) {
  *to++ = ' ';
  while (*name)
    *to++ = *name++;
  *to++ = '=';
  for (int shift = 28; shift >= 0; shift -= 4)
    *to++ = "0123456789abcdef"[(value >> shift) & 15U];
  return to;
}

void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp) {
  static char text[128];
  static const uint32_t leave[2] = {0x20023U, 1}; /* ADP_Stopped_RunTimeErrorUnknown */
  char *end = text;
  memcpy(end, "qcs fault:", 10);
  end = put_hex(end + 10, "pc", pc);
  end = put_hex(end, "lr", ra);
  end = put_hex(end, "sp", sp);
  end = put_hex(end, "mcause", cause);
  end = put_hex(end, "mtval", value);
  *end++ = '\n';
  *end = '\0';
  semihost(0x04, text);
  semihost(0x18, leave);
  semihost(0x18, (const void *)(uintptr_t)0x20023U);
  for (;;) {
  }
}
