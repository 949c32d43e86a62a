/* Milliseconds since the installer's start, from the ticks and SysTick between them. */
#ifndef BF_MILLIS_H
#define BF_MILLIS_H

#include <stdint.h>

/* Wraps with the counter of ticks. */
uint32_t millis(void);

/* True when `ms` have passed since `since`. */
static inline int millis_over(uint32_t since, uint32_t ms) {
  return millis() - since >= ms;
}

#endif
