/* SysTick at 1 kHz from HCLK. */
#include "tick.h"
#include "startup.h"
#include "stm32f427.h"

static volatile uint32_t milliseconds;

void systick_handler(void) { milliseconds++; }

void tick_start(void) {
    SYST_RVR = CPU_HZ / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_HCLK | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

/* Leaves no tick pending, so that whoever comes next finds SysTick as after reset. */
void tick_stop(void) {
    SYST_CSR = 0;
    SCB_ICSR = SCB_ICSR_PENDSTCLR;
    SYST_RVR = 0;
    SYST_CVR = 0;
}

uint32_t tick_now(void) { return milliseconds; }

uint32_t tick_since(uint32_t then) { return milliseconds - then; }
