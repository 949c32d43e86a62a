/*
 * Clock set-up (RM0090 section 6.3, 3.5.1 for the wait states, 5.1.4 for the voltage scale). Every
 * wait is bounded.
 */
#include "clock.h"

#include "registers.h"

/* 16 MHz / 8 * 160 = 320 MHz: / 2 for the core, / 7 for the random generator. */
#define PLL_M 8u
#define PLL_N (160u << 6)
#define PLL_P_2 (0u << 16)
#define PLL_FROM_HSI (0u << 22)
#define PLL_Q (7u << 24)
#define PLL_RESERVED (2u << 28) /* reset value of bits 31:28 */
#define REGISTER_TURNS 20000u /* most turns of a loop on a register */

/* Waits until (register & mask) == value. True when that happened. */
static bool settle(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  for (uint32_t left = REGISTER_TURNS; left > 0; left--)
    if ((*reg & mask) == value) return true;
  return false;
}

static bool run_on_hsi(void) {
  RCC_CR |= RCC_CR_HSION;
  if (!settle(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY)) return false;
  RCC_CFGR = 0;
  if (!settle(&RCC_CFGR, RCC_CFGR_SWS, 0)) return false;
  RCC_CR &= ~RCC_CR_PLLON;
  return settle(&RCC_CR, RCC_CR_PLLRDY, 0);
}

static bool run_on_pll(void) {
  RCC_PLLCFGR = PLL_M | PLL_N | PLL_P_2 | PLL_FROM_HSI | PLL_Q | PLL_RESERVED;
  RCC_CR |= RCC_CR_PLLON;
  if (!settle(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) return false;
  RCC_CFGR = RCC_CFGR_PPRE1_4 | RCC_CFGR_PPRE2_2;
  RCC_CFGR = RCC_CFGR_PPRE1_4 | RCC_CFGR_PPRE2_2 | RCC_CFGR_SW_PLL;
  return settle(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL);
}

bool clock_start(void) {
  RCC_APB1ENR |= RCC_APB1ENR_PWR;
  RCC_AHB1ENR |= RCC_AHB1ENR_CRC;
  (void)RCC_AHB1ENR;
  if (!run_on_hsi()) return false;
  PWR_CR = PWR_CR_USUAL;
  FLASH_ACR = CHIP_LATENCY;
  if (!settle(&FLASH_ACR, FLASH_ACR_LATENCY, CHIP_LATENCY)) return false;
  return run_on_pll();
}
