#include "cmsis_stub.h"
typedef struct {
  volatile uint32_t ISR;
} USART_TypeDef;
#define USART2 ((USART_TypeDef *)0x40004400u)
uint32_t LL_USART_IsActiveFlag_RXNE(const USART_TypeDef *u);
uint32_t LL_USART_IsActiveFlag_TXE(const USART_TypeDef *u);
uint8_t LL_USART_ReceiveData8(const USART_TypeDef *u);
void LL_USART_TransmitData8(USART_TypeDef *u, uint8_t value);
void LL_USART_ClearFlag_ORE(USART_TypeDef *u);
void LL_USART_EnableIT_RXNE(USART_TypeDef *u);
void USART2_IRQHandler(void);
void qcs_run(void);
