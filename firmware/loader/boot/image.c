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

/* A stack in RAM, on 4 bytes, and a first instruction behind the vectors. */
static bool vectors_plausible(const uint32_t *vectors) {
  uint32_t sp = vectors[0], pc = vectors[1], flash_end = CHIP_FLASH + 1024u * chip_flash_kib();
  bool stack = (sp > SRAM_START && sp <= SRAM_END) || (sp > CCM_START && sp <= CCM_END);
  return stack && (sp & 3u) == 0 && (pc & 1u) != 0 && pc > IMAGE_START && pc < flash_end;
}

/* Clocks as after reset. */
static void clock_stop(void) {
  RCC_CFGR = 0;
  while (RCC_CFGR & RCC_CFGR_SWS) {
  }
  RCC_CR &= ~RCC_CR_PLLON;
  while (RCC_CR & RCC_CR_PLLRDY) {
  }
  RCC_PLLCFGR = RCC_PLLCFGR_RESET;
  FLASH_ACR = 0;
}

/* At 160 MHz: most of a start with this check is the hash. */
static bool digest_right(const journal_record *complete) {
  const journal_root *r = journal_root_of(complete);
  uint8_t root[64];
  if (!clock_start()) return false;
  root_of_flash(r, root, 0);
  clock_stop();
  return bf_equal(root, r->root, sizeof root) != 0;
}

bool image_good(const journal_record *complete, bool whole) {
  return vectors_plausible((const uint32_t *)IMAGE_START) && (!whole || digest_right(complete));
}
