/* Milliseconds since start, from SysTick. Wraps after 49.7 days; compare with tick_since. */
#ifndef TICK_H
#define TICK_H

#include <stdint.h>

void tick_start(void);
void tick_stop(void);
uint32_t tick_now(void);
uint32_t tick_since(uint32_t then);

#endif
