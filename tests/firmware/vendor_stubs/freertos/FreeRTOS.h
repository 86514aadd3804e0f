/* FreeRTOS */
#include <stddef.h>
