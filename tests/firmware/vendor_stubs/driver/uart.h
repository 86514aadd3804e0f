#include <stdint.h>
typedef int uart_port_t;
typedef int esp_err_t;
#define UART_NUM_0 0
int uart_read_bytes(uart_port_t port, void *buf, uint32_t length, uint32_t ticks_to_wait);
int uart_tx_chars(uart_port_t port, const char *buffer, uint32_t len);
esp_err_t uart_driver_install(uart_port_t port, int rx, int tx, int queue_size, void *queue,
                              int flags);
void app_main(void);
