/* The RAM stub: brings the core and the chip into a known state, then hands over to the session. */
#include "abort.h"
#include "chip.h"
#include "clock.h"
#include "entry.h"
#include "flash.h"
#include "mailbox_transport.h"
#include "registers.h"
#include "rng.h"
#include "sealed.h"
#include "session.h"
#include "tick.h"
#include "util.h"

/* Everything an application may have left in the core, off. */
static void quiet_core(void) {
  SYST_CSR = 0;
  SCB_ICSR = SCB_ICSR_PENDSTCLR;
  MPU_CTRL = 0;
  for (uint32_t i = 0; i < NVIC_REGISTERS; i++) {
    NVIC_ICER(i) = 0xFFFFFFFFu;
    NVIC_ICPR(i) = 0xFFFFFFFFu;
  }
  SCB_VTOR = MEM_STUB;
  SCB_SHCSR |= SCB_SHCSR_FAULTS;
  DEMCR |= DEMCR_TRCENA;
  DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

/*
 * A chip that lacks what it takes is refused before its clock, its flash or its random generator is
 * touched; the watchdog is fed.
 */
static void refuse_chip(void) {
  session_error error = chip_refusal();
  if (error == ERROR_NONE) return;
  tick_start(TICK_CYCLES(CLOCK_SLOW_HZ));
  irq_on();
  session_abort(error, DBGMCU_IDCODE & 0xFFFu);
}

/* Not inlined, so that its part of the stack is free again when the main loop runs. */
BF_NOINLINE static void start_hardware(void) {
  bool fast = clock_start();
  tick_start(fast ? TICK_CYCLES(CLOCK_FAST_HZ) : TICK_CYCLES(CLOCK_SLOW_HZ));
  irq_on();
  sealed_hash_program();
  if (!fast) session_abort(ERROR_CLOCK_FAILED, RCC_CR);
  flash_start();
  uint32_t failed = rng_start();
  if (failed) session_abort(ERROR_RANDOM_FAILED, failed);
}

void stub_main(void) {
  quiet_core();
  tick_feed();
  *mailbox_word(MAILBOX_VERSION) = PROGRAM_VERSION;
  refuse_chip();
  start_hardware();
  session_enter(STATE_WAITING);
  session_poll_forever();
}
