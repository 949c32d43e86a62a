/* The bit time: see line.h. */
#include "line.h"

#include <stdbool.h>

#include "registers_loader.h"

#define FALLS (LINE_BITS / 2u)
#define SLOWEST_BIT 50u /* most cycles of two bits, as a part of a SysTick round */

uint32_t line_cycles(uint32_t from, uint32_t to) {
  return from >= to ? from - to : from + SYST_RVR + 1u - to;
}

/* Waits for a fall of the level; sets `at` to SysTick then. False when none came in time. */
static bool wait_for_fall(volatile uint32_t *levels, uint32_t mask, uint32_t patience,
                          uint32_t *at) {
  uint32_t begun = SYST_CVR, now = begun;
  while ((*levels & mask) == 0)
    if (line_cycles(begun, now = SYST_CVR) > patience) return false;
  while ((*levels & mask) != 0)
    if (line_cycles(begun, now = SYST_CVR) > patience) return false;
  *at = SYST_CVR;
  return true;
}

uint32_t line_measure(uint32_t rx_pin, uint32_t patience) {
  volatile uint32_t *levels = &GPIO_IDR(rx_pin >> 4);
  uint32_t mask = BIT(rx_pin & 15u), first, last, now, total = 0, two_bits = 0;
  uint32_t longest = (SYST_RVR + 1u) / SLOWEST_BIT / 4u;
  if (!wait_for_fall(levels, mask, patience, &first)) return 0;
  last = first;
  for (uint32_t i = 0; i < FALLS; i++, last = now) {
    if (!wait_for_fall(levels, mask, longest, &now)) return 0;
    uint32_t length = line_cycles(last, now);
    if (i == 0) two_bits = length;
    if (length > two_bits + two_bits / 4 || length < two_bits - two_bits / 4) return 0;
    total += length;
  }
  return total;
}

void line_align(uint32_t rx_pin, uint32_t cycles) {
  volatile uint32_t *levels = &GPIO_IDR(rx_pin >> 4);
  uint32_t mask = BIT(rx_pin & 15u), bit = cycles / LINE_BITS, fall;
  while (wait_for_fall(levels, mask, 3u * bit, &fall))
    while ((*levels & mask) == 0)
      if (line_cycles(fall, SYST_CVR) > bit + bit / 2) {
        while (line_cycles(fall, SYST_CVR) < 8u * bit + bit / 4) {
        }
        return;
      }
}
