/* The rules by which a board with an image enters the installer: see boot.h, config.h. */
#include "boot.h"
#include "clock.h"
#include "config.h"
#include "line.h"
#include "registers_loader.h"

#define PULL_UP 1u
#define PULL_DOWN 2u
#define SETTLE_TURNS 100u
#define SYSTICK_MOST 0xFFFFFFu
#define SYST_CSR_COUNT 5u /* processor clock, enable */

/* Pulls an input (port * 16 + pin) up or down, its port with a clock. Returns PUPDR as it was. */
static uint32_t pull(uint32_t input, uint32_t how) {
  uint32_t port = input >> 4, field = 2u * (input & 15u);
  RCC_AHB1ENR |= RCC_AHB1ENR_GPIO(port);
  (void)RCC_AHB1ENR;
  uint32_t before = GPIO_PUPDR(port);
  GPIO_PUPDR(port) = (before & ~(3u << field)) | how << field;
  for (uint32_t i = 0; i < SETTLE_TURNS; i++) (void)GPIO_IDR(port);
  return before;
}

static bool strap_holds(const config *c) {
  uint32_t port = c->strap_pin >> 4;
  if (c->strap_pin == CONFIG_NONE) return false;
  uint32_t before = pull(c->strap_pin, c->strap_level ? PULL_DOWN : PULL_UP);
  bool holds = (GPIO_IDR(port) >> (c->strap_pin & 15u) & 1u) == c->strap_level;
  GPIO_PUPDR(port) = before;
  return holds;
}

/*
 * The beginning of a knock on the line in the time the config gives. Boot listens itself, by the
 * level of the pin: the installer would clear backup SRAM, which is the image's.
 */
static bool knock_heard(const config *c) {
  if (c->listen_ms == 0) return false;
  uint32_t before = pull(c->rx_pin, PULL_UP), cycles = CLOCK_SLOW_HZ / 1000u * c->listen_ms, past;
  SYST_RVR = SYSTICK_MOST;
  SYST_CVR = 0;
  SYST_CSR = SYST_CSR_COUNT;
  uint32_t begun = SYST_CVR;
  bool heard = false;
  while (!heard && (past = line_cycles(begun, SYST_CVR)) < cycles)
    heard = line_measure(c->rx_pin, cycles - past) != 0;
  SYST_CSR = SYST_RVR = SYST_CVR = 0;
  feed_watchdog(); /* the longest time to listen is 200 ms, the shortest it waits 350 ms */
  GPIO_PUPDR(c->rx_pin >> 4) = before;
  return heard;
}

/* The word the image leaves; it is cleared, or every start would enter. */
static bool rtc_word_holds(const config *c) {
  if (c->rtc_register >= RTC_BKP_COUNT || RTC_BKP(c->rtc_register) != c->rtc_value) return false;
  RCC_APB1ENR |= RCC_APB1ENR_PWR;
  (void)RCC_APB1ENR;
  PWR_CR |= PWR_CR_DBP;
  (void)PWR_CR;
  RTC_BKP(c->rtc_register) = 0;
  return true;
}

entry_reason entry_rule(void) {
  const config *c = config_in_flash();
  if (rtc_word_holds(c) || strap_holds(c)) return ENTRY_RULE;
  return knock_heard(c) ? ENTRY_LISTEN : ENTRY_NO_IMAGE;
}
