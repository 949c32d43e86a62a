/*
 * Core clock: 160 MHz from the internal oscillator, so that the random generator has its clock and
 * the cipher is fast.
 */
#ifndef BF_CLOCK_H
#define BF_CLOCK_H

#include <stdbool.h>

#define CLOCK_SLOW_HZ 16000000u
#define CLOCK_FAST_HZ 160000000u

/*
 * Switches to 160 MHz; APB1 /4, APB2 /2, PLL48CLK 45.7 MHz; flash with the wait states the chip
 * needs for that at any supply (CHIP_LATENCY in target.h), caches off. False when it did not settle
 * in time; the clock is then taken to be at 16 MHz.
 */
bool clock_start(void);

#endif
