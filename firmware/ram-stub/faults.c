/*
 * CPU faults and unexpected exceptions (docs/mailbox.md, FAULT): wipe, write down what is known,
 * stay. start.S gives a stack of its own.
 */
#include "clock.h"
#include "entry.h"
#include "mailbox_transport.h"
#include "registers.h"
#include "session.h"
#include "tick.h"
#include "util.h"
#include "wipe.h"

/* What the core stacks when it takes an exception (ARMv7-M B1.5.6): indices of words, all bytes. */
#define STACKED_PC 6u
#define STACKED_XPSR 7u
#define STACKED_BYTES 32u

extern uint8_t fault_stack_top[], stack_top[];

static uint32_t stacked(uint32_t sp, uint32_t index) {
  bool readable =
      (sp & 3u) == 0 && sp >= MEM_PRIVATE && sp <= MEM_PRIVATE + MEM_PRIVATE_SIZE - STACKED_BYTES;
  return readable ? ((const volatile uint32_t *)sp)[index] : 0;
}

/*
 * SysTick cannot interrupt a fault, but it becomes pending: the watchdog is fed by looking at that,
 * at least every 100 ms. It is started here, for a fault may come before or in its set-up. Flash is
 * locked as soon as the operation that may be running has ended, for a write to its control
 * register would wait.
 */
static void stay(void) {
  tick_start(TICK_CYCLES(CLOCK_SLOW_HZ));
  for (;;) {
    if ((FLASH_SR & FLASH_SR_BSY) == 0) FLASH_CR = FLASH_CR_LOCK;
    while ((SCB_ICSR & SCB_ICSR_PENDSTSET) == 0) {
    }
    SCB_ICSR = SCB_ICSR_PENDSTCLR;
    tick_feed();
  }
}

/*
 * `sp` as the exception left it. A PC outside the stub is not told: a return address that was
 * overwritten may be data.
 */
void fault_main(uint32_t sp) {
  uint32_t pc = stacked(sp, STACKED_PC);
  if (pc - MEM_STUB >= MEM_STUB_SIZE) pc = 0;
  volatile uint32_t *fault = mailbox_word(MAILBOX_FAULT);
  fault[0] = pc;
  fault[1] = 0; /* not LR: the primitives keep data in it */
  fault[2] = stacked(sp, STACKED_XPSR);
  fault[3] = SCB_CFSR;
  fault[4] = SCB_HFSR;
  fault[5] = SCB_BFAR;
  fault[6] = SCB_MMFAR;
  fault[7] = sp;
  wipe_secrets(STATE_FAULT);
  bf_wipe(fault_stack_top, (size_t)(stack_top - fault_stack_top));
  transport_show_error(ERROR_CPU_FAULT, pc);
  session_enter(STATE_FAULT);
  transport_announce();
  stay();
}
