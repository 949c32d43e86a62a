/*
 * Bit time of a serial line, from its level alone: no oscillator need agree with the host's
 * (docs/serial-link.md). Boot and installer have it both.
 */
#ifndef BF_LINE_H
#define BF_LINE_H

#include <stdint.h>

#define LINE_BITS 32u /* what a measurement is over: 16 falls of the level, 2 bits apart */

/*
 * Waits up to `patience` cycles for the line of `rx_pin` (port * 16 + pin) to fall, then times 16
 * more falls. Returns the cycles of LINE_BITS bits, or 0: it was quiet, or fell at odd times. Needs
 * SysTick running at the core's clock.
 */
uint32_t line_measure(uint32_t rx_pin, uint32_t patience);

/*
 * Waits for the end of the even pattern, `cycles` being what was measured: returns in the last bit
 * of the first character that begins with two zeros, so that a receiver that is turned on now
 * begins with the next one; or when the line stays high.
 */
void line_align(uint32_t rx_pin, uint32_t cycles);

/* Cycles of SysTick between two readings of its counter, less than one of its rounds apart. */
uint32_t line_cycles(uint32_t from, uint32_t to);

#endif
