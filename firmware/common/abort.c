/* The jump out of a step that cannot go on: see abort.h. */
#include "abort.h"

/*
 * Naked, for the stack is emptied under it, and cleared here: what comes next lays its own frames
 * over the end of it. Registers a function restores would be stored there again, so they are
 * cleared too.
 */
__attribute__((naked)) void session_abort(session_error error __attribute__((unused)),
                                          uint32_t detail __attribute__((unused))) {
  __asm__ volatile(
      "  ldr r2, =stack_top\n"
      "  mov sp, r2\n"
      "  ldr r3, =stack_limit\n"
      "  movs r4, #0\n"
      "1:\n"
      "  stmia r3!, {r4}\n"
      "  cmp r3, r2\n"
      "  blo 1b\n"
      "  movs r5, #0\n"
      "  movs r6, #0\n"
      "  movs r7, #0\n"
      "  mov r8, r4\n"
      "  mov r9, r4\n"
      "  mov r10, r4\n"
      "  mov r11, r4\n"
      "  b session_aborted\n"
      "  .pool\n");
}
