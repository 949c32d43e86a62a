/* May the image be started: see boot.h. */
#include "boot.h"
#include "clock.h"
#include "config.h"
#include "flash_map.h"
#include "registers_loader.h"
#include "root.h"
#include "util.h"

#define CCM_START 0x10000000u
#define CCM_END 0x10010000u
#define RCC_CFGR_SW 3u
#define REGISTER_TURNS 20000u /* most turns of a loop on a register */

/* A stack in RAM, on 4 bytes, and a first instruction behind the vectors. */
static bool vectors_plausible(const uint32_t *vectors) {
  uint32_t sp = vectors[0], pc = vectors[1], flash_end = CHIP_FLASH + 1024u * chip_flash_kib();
  bool stack = (sp > SRAM_START && sp <= SRAM_IMAGE_END) || (sp > CCM_START && sp <= CCM_END);
  return stack && (sp & 3u) == 0 && (pc & 1u) != 0 && pc > IMAGE_START && pc < flash_end;
}

/* Waits for the bits of `mask` to go. True when they did. */
static bool gone(volatile uint32_t *reg, uint32_t mask) {
  uint32_t left = REGISTER_TURNS;
  while ((*reg & mask) != 0 && left != 0) left--;
  return left != 0;
}

/*
 * Clocks as after reset; false when they do not follow. The buses stay divided until the core runs
 * on HSI: at 160 MHz they are too fast.
 */
static bool clock_stop(void) {
  RCC_CFGR &= ~RCC_CFGR_SW;
  if (!gone(&RCC_CFGR, RCC_CFGR_SWS)) return false;
  RCC_CFGR = 0;
  RCC_CR &= ~RCC_CR_PLLON;
  if (!gone(&RCC_CR, RCC_CR_PLLRDY)) return false;
  RCC_PLLCFGR = RCC_PLLCFGR_RESET;
  FLASH_ACR = 0;
  return true;
}

/* At 160 MHz: most of a start with this check is the hash. */
static bool digest_right(const journal_record *complete) {
  const journal_root *r = journal_root_of(complete);
  uint8_t root[64];
  (void)clock_start(); /* without it the hash takes longer */
  root_of_flash(r, root, feed_watchdog);
  return clock_stop() && bf_equal(root, r->root, sizeof root) != 0;
}

bool image_good(const journal_record *complete, bool whole) {
  return vectors_plausible((const uint32_t *)IMAGE_START) && (!whole || digest_right(complete));
}
