/*
 * Supply check with the voltage detector (RM0090 section 5.2.3); the levels leave a margin above
 * the 2.7 V and 2.1 V of table 13.
 */
#include "supply.h"

#include "flag.h"
#include "registers.h"

#define LEVEL_X32 7 /* 2.9 V and more */
#define LEVEL_X16 3 /* 2.5 V and more */
/* Turns of a loop of at least 4 cycles: 100 us at 160 MHz, in which the detector settles. */
#define DETECTOR_TURNS 4000u
#define COUNTED_TURNS 16u /* the last of them, whose answers count */

/* True when the supply is above a level of the detector. */
static flag above(uint32_t level) {
  PWR_CR = PWR_CR_USUAL | PWR_CR_PLS(level);
  PWR_CR = PWR_CR_USUAL | PWR_CR_PLS(level) | PWR_CR_PVDE;
  uint32_t low = 0;
  for (uint32_t left = DETECTOR_TURNS; left > 0; left--) {
    if (left == COUNTED_TURNS) low = 0;
    low |= PWR_CSR & PWR_CSR_PVDO;
  }
  PWR_CR = PWR_CR_USUAL;
  return low == 0;
}

flash_width supply_psize(void) {
  if (above(LEVEL_X32)) return WIDTH_X32;
  return above(LEVEL_X16) ? WIDTH_X16 : WIDTH_X8;
}
