/*
 * Boot (docs/loader.md, "What happens at a start"): the debug pins go first; then either the image
 * starts, the chip as after reset, or the installer.
 */
#include "boot.h"

#include "chip.h"
#include "config.h"
#include "crc32.h"
#include "flash_map.h"
#include "registers_loader.h"

static void look_around(handover *found) {
  found->rcc_csr = RCC_CSR;
  found->dhcsr = (uint16_t)DHCSR;
  found->breakpoints = (uint8_t)(FP_CTRL & FP_CTRL_ENABLE);
  found->trace = (DEMCR & DEMCR_TRCENA) != 0;
  found->reason = ENTRY_NO_IMAGE;
}

/* A visit of the installer that ended by itself: the image is to start, whatever the rules say. */
static bool rules_are_to_be_passed(void) {
  volatile uint32_t *word = (volatile uint32_t *)SKIP_RULES_WORD;
  bool passed = *word == SKIP_RULES_VALUE && (RCC_CSR & RCC_CSR_SFTRSTF) != 0;
  *word = 0;
  return passed;
}

static void start_image(void) {
  bool locked = !chip_is_open(chip_optcr());
  bool off = locked && (config_in_flash()->flags & CONFIG_FLAG_DEBUG_PINS_OFF) != 0;
  quiet_chip();
  if (!off) debug_pins(true);
  RCC_AHB1ENR = RCC_AHB1ENR_RESET;
  jump_to_image((const uint32_t *)IMAGE_START);
}

void boot_main(void) {
  handover found;
  journal_view view;
  debug_pins(false);
  look_around(&found);
  if (chip_is_open(chip_optcr())) debug_pins(true);
  RCC_AHB1ENR |= RCC_AHB1ENR_CRC;
  (void)RCC_AHB1ENR;
  bool pass = rules_are_to_be_passed(), configured = config_good(config_in_flash());
  journal_look(&view);
  bool complete = view.install != 0 && view.install->kind == JOURNAL_COMPLETE;
  if (!complete) RCC_CSR |= RCC_CSR_RMVF; /* noted; a press of NRST from now on is seen as one */
  const uint32_t *use = journal_last_use(&view);
  if (use != 0 && journal_use_is_open(*use)) close_use(use);
  bool whole = configured && (config_in_flash()->flags & CONFIG_FLAG_DIGEST) != 0;
  if (complete && image_good(view.install, whole)) {
    if (configured && !pass) found.reason = entry_rule();
    if (found.reason == ENTRY_NO_IMAGE) start_image();
  }
  quiet_chip();
  enter_installer(&found);
}
