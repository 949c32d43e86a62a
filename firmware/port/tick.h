/*
 * The program's only clock: a counter of 100 ms ticks in RAM, and wake_count, raised by every tick
 * and by the flash interrupt at the end of an operation or at an error. What the host writes is
 * polled besides.
 */
#ifndef BF_TICK_H
#define BF_TICK_H

#include <stdint.h>

#define TICK_MS 100u

extern volatile uint32_t tick_count;
extern volatile uint32_t wake_count;

/*
 * What goes on (chip_activity), set by activity_begin(), and how many ticks found each of them;
 * whoever reads tick_spent clears it.
 */
#define TICK_ACTIVITIES 5u
extern volatile uint8_t tick_activity;
extern volatile uint32_t tick_spent[TICK_ACTIVITIES];

/* Cycles of a tick at a core clock of `hz`. */
#define TICK_CYCLES(hz) ((hz) / 1000u * TICK_MS)

/* Starts counting ticks of so many cycles of the core clock. */
void tick_start(uint32_t cycles);

/* The SysTick exception, for the vector table. */
void tick_irq(void);

/* Keeps a running watchdog from biting; never starts one. */
void tick_feed(void);

#endif
