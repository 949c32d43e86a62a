/* The installer: brings the chip into a known state, makes keys where that is due, then serves. */
#include "abort.h"
#include "chip.h"
#include "clock.h"
#include "facts.h"
#include "flash.h"
#include "installer.h"
#include "link.h"
#include "memory.h"
#include "registers_loader.h"
#include "rng.h"
#include "session.h"
#include "slots.h"
#include "supply.h"
#include "tick.h"

/* The reset flags are used up: what a later boot reads is of its own reset. */
static void clear_reset_flags(void) {
  RCC_CSR |= RCC_CSR_RMVF;
}

/* Not inlined, so that its part of the stack is free again when the main loop runs. */
__attribute__((noinline)) static void start(const handover *found) {
  bool fast = CHIP_IS(chip_dev_id()) && clock_start(); /* else no keys, and nothing is served */
  tick_start(fast ? TICK_CYCLES(CLOCK_FAST_HZ) : TICK_CYCLES(CLOCK_SLOW_HZ));
  irq_on();
  while (!facts_start(found)) { /* no config: nothing to speak by */
  }
  link_start();
  if (!fast) session_abort(ERROR_CLOCK_FAILED, RCC_CR);
  flash_start();
  flash_begin(supply_psize());
  uint32_t failed = rng_start();
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
  slots_prepare(found);
  flash_stop();
  facts_refresh();
}

void installer_main(const handover *found) {
  handover kept = *found;
  memory_protect();
  clear_reset_flags();
  SCB_SHCSR |= SCB_SHCSR_FAULTS;
  start(&kept);
  session_enter(STATE_WAITING);
  session_poll_forever();
}
