#include <stdint.h>
typedef struct {
  volatile uint32_t CNT;
} TIM_TypeDef;
#define TIM2 ((TIM_TypeDef *)0x40000000u)
uint32_t LL_TIM_GetCounter(const TIM_TypeDef *t);
void LL_TIM_EnableCounter(TIM_TypeDef *t);
