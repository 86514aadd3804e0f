#include <stdbool.h>
#define UART0_IRQ 20
typedef void (*irq_handler_t)(void);
void irq_set_exclusive_handler(unsigned num, irq_handler_t handler);
void irq_set_enabled(unsigned num, bool enabled);
