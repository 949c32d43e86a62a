/* The jump out of a step that cannot go on: see abort.h. */
#include "abort.h"

/*
 * Naked, for the stack is emptied under it: what the steps so far kept there lies in memory that is
 * wiped next.
 */
__attribute__((naked)) void session_abort(session_error error __attribute__((unused)),
                                          uint32_t detail __attribute__((unused))) {
  __asm__ volatile("  ldr r2, =stack_top\n  mov sp, r2\n  b session_aborted\n  .pool\n");
}
