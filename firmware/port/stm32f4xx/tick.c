/* Ticks: see tick.h. */
#include "tick.h"

#include "registers.h"

volatile uint32_t tick_count;
volatile uint32_t wake_count;
volatile uint8_t tick_activity;
volatile uint32_t tick_spent[TICK_ACTIVITIES];

void tick_feed(void) {
  IWDG_KR = IWDG_RELOAD;
}

void tick_start(uint32_t cycles) {
  SYST_CSR = 0;
  SYST_RVR = cycles - 1u;
  SYST_CVR = 0;
  SYST_CSR = SYST_CSR_RUN;
}

/* SysTick exception. */
void tick_irq(void) {
  tick_count++;
  tick_spent[tick_activity]++;
  wake_count++;
  tick_feed();
}
