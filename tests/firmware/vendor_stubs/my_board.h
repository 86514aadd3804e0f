#include <stdint.h>
#define MY_CORE_HZ 1000000
int my_uart_has_byte(void);
uint8_t my_uart_get(void);
int my_uart_can_send(void);
void my_uart_put(uint8_t byte);
uint32_t my_cycle_counter(void);
void my_board_start(void);
