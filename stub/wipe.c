/* Wiping: see wipe.h. The list of secrets is the section .secret; the stack is cleared to its limit. */
#include "wipe.h"

#include "util.h"

extern uint8_t secret_start[], secret_end[], stack_limit[];

void wipe_secrets(void) {
  bf_wipe(secret_start, (size_t)(secret_end - secret_start));
  uint8_t *here = __builtin_frame_address(0);
  volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)stack_limit;
  while ((uint8_t *)(uintptr_t)word < here - 64) *word++ = 0;
}
