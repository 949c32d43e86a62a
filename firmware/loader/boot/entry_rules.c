/* The rules by which a board with an image enters the installer: see boot.h, config.h. */
#include "boot.h"
#include "config.h"
#include "registers_loader.h"

#define PULL_UP 1u
#define PULL_DOWN 2u
#define SETTLE_TURNS 100u

static bool strap_holds(const config *c) {
  uint32_t port = c->strap_pin >> 4, pin = c->strap_pin & 15u;
  if (c->strap_pin == CONFIG_NONE) return false;
  uint32_t enabled = RCC_AHB1ENR, pulls;
  RCC_AHB1ENR = enabled | RCC_AHB1ENR_GPIO(port);
  (void)RCC_AHB1ENR;
  pulls = GPIO_PUPDR(port);
  GPIO_PUPDR(port) =
      (pulls & ~(3u << (2 * pin))) | (c->strap_level ? PULL_DOWN : PULL_UP) << (2 * pin);
  for (uint32_t i = 0; i < SETTLE_TURNS; i++) (void)GPIO_IDR(port);
  bool holds = (GPIO_IDR(port) >> pin & 1u) == c->strap_level;
  GPIO_PUPDR(port) = pulls;
  RCC_AHB1ENR = enabled;
  return holds;
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
  return c->listen_ms != 0 ? ENTRY_LISTEN : ENTRY_NO_IMAGE;
}
