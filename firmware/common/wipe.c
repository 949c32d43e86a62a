/*
 * Wiping: see wipe.h. The linker gathers what is secret into one section, the chip's key behind it;
 * the stack is cleared from its limit up to the frame of this function. r12, which no function
 * restores, is the one register that could still hold a word of the last box.
 */
#include "wipe.h"

#include "util.h"

extern uint8_t secret_start[], secret_end[], chip_key_end[], stack_limit[];

void wipe_secrets(session_state next) {
  const uint8_t *end = next >= STATE_EXPIRED ? chip_key_end : secret_end;
  bf_wipe(secret_start, (size_t)(end - secret_start));
  __asm__ volatile("mov r12, sp" ::: "r12");
  /* bf_wipe calls nobody and keeps nothing on the stack: `make check` looks */
  uint8_t *here = __builtin_frame_address(0);
  bf_wipe(stack_limit, (size_t)(here - stack_limit));
}
