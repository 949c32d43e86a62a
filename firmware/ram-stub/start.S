/*
 * Vectors and entry of the stub (docs/mailbox.md, "Entry").
 *
 * The debugger sets SP, PC and xPSR and lets the core run, so the rest of the core's state is put
 * in order here: thread mode on the main stack, interrupts masked, no leftover priority mask.
 */
#include "mailbox.h"

  .syntax unified
  .thumb

  .section .vectors, "a"
  .word stack_top
  .word stub_entry
  .rept 13 /* exceptions 2 to 14 */
  .word fault_entry
  .endr
  .word tick_irq /* 15: SysTick */
  .rept 4 /* interrupts 0 to 3 */
  .word fault_entry
  .endr
  .word flash_irq /* interrupt 4 */
  .word fault_entry /* guard: no later interrupt is ever enabled */

  .section .text.stub_entry, "ax"
  .thumb_func
  .global stub_entry
  .type stub_entry, %function
stub_entry:
  cpsid i
  cpsie f
  movs r0, #0
  msr basepri, r0
  msr control, r0
  isb
  ldr r0, =stack_top
  msr msp, r0
  ldr r1, =MEM_PRIVATE
  movs r2, #0
1:
  stmia r1!, {r2}
  cmp r1, r0
  blo 1b
  bl stub_main
2:
  b 2b
  .pool

  /*
   * Any fault or unexpected exception: hand the stack pointer to C, on a stack of its own, and
   * nothing else of what was struck.
   */
  .section .text.fault_entry, "ax"
  .thumb_func
  .global fault_entry
  .type fault_entry, %function
fault_entry:
  cpsid i
  mov r0, sp
  ldr r1, =fault_stack_top
  msr msp, r1
  movs r2, #0
  movs r3, #0
  movs r4, #0
  movs r5, #0
  movs r6, #0
  movs r7, #0
  mov r8, r2
  mov r9, r2
  mov r10, r2
  mov r11, r2
  mov r12, r2
  b fault_main
  .pool
