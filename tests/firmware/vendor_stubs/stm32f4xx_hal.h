#include "cmsis_stub.h"
typedef struct {
  volatile uint32_t SR, DR;
} USART_TypeDef;
typedef struct {
  USART_TypeDef *Instance;
} UART_HandleTypeDef;
typedef enum { HAL_OK } HAL_StatusTypeDef;
HAL_StatusTypeDef HAL_UART_Receive_IT(UART_HandleTypeDef *huart, uint8_t *data, uint16_t size);
void HAL_UART_RxCpltCallback(UART_HandleTypeDef *huart);
void HAL_UART_ErrorCallback(UART_HandleTypeDef *huart);
#define UART_FLAG_TXE 0x80u
#define __HAL_UART_GET_FLAG(h, f) (((h)->Instance->SR & (f)) == (f))
void qcs_run(void);
