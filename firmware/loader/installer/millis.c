/* Milliseconds: see millis.h. */
#include "millis.h"

#include "registers_loader.h"
#include "tick.h"

uint32_t millis(void) {
  uint32_t ticks, left;
  do {
    ticks = tick_count;
    left = SYST_CVR;
    __asm__ volatile("isb" ::: "memory"); /* the tick of a wrap just read is counted */
  } while (ticks != tick_count);
  uint32_t round = SYST_RVR + 1u;
  return ticks * TICK_MS + (round - 1u - left) / (round / TICK_MS);
}
