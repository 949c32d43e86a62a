/* Wiping: see wipe.h. The list of secrets is the section .secret; the stack is cleared to its limit. */
#include "wipe.h"

#include "util.h"

extern uint8_t secret_start[], secret_end[], stack_limit[];

void wipe_secrets(void) {
  bf_wipe(secret_start, (size_t)(secret_end - secret_start));
  uint8_t *here = __builtin_frame_address(0); /* bf_wipe itself needs less than 16 bytes below */
  bf_wipe(stack_limit, (size_t)(here - 16 - stack_limit));
}
