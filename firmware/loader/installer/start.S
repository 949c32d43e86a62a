/*
 * Vectors and entry of the installer, which boot has copied to SRAM. The handover comes in r4, r5
 * and r6, the core as after reset with interrupts masked. Backup SRAM is made ready by code that
 * needs no stack (memory.c), for the stack is in it.
 */
  .syntax unified
  .thumb

  .section .vectors, "a"
  .word stack_top
  .word installer_entry
  .rept 13 /* exceptions 2 to 14 */
  .word fault_entry
  .endr
  .word tick_irq /* 15: SysTick */
  .rept 4 /* interrupts 0 to 3 */
  .word fault_entry
  .endr
  .word flash_irq /* interrupt 4 */
  .word fault_entry /* guard: no later interrupt is ever enabled */

  .section .text.installer_entry, "ax"
  .thumb_func
  .global installer_entry
  .type installer_entry, %function
installer_entry:
  ldr r0, =0x20000000
  ldr r1, =0xE000ED08 /* VTOR */
  str r0, [r1]
  dsb
  ldr r1, =0x40023840 /* RCC_APB1ENR: PWR */
  ldr r0, [r1]
  orr r0, r0, #0x10000000
  str r0, [r1]
  ldr r1, =0x40023830 /* RCC_AHB1ENR: BKPSRAM, CRC */
  ldr r0, [r1]
  orr r0, r0, #0x00040000
  orr r0, r0, #0x00001000
  str r0, [r1]
  ldr r0, [r1]
  ldr r1, =0x40007000 /* PWR_CR: DBP; PWR_CSR: BRE off */
  ldr r0, [r1]
  orr r0, r0, #0x100
  str r0, [r1]
  ldr r2, [r1]
  movw r3, #1000 /* DBP may come late */
1:
  subs r3, r3, #1
  beq fault_entry /* what is written there would stay without the supply */
  movs r2, #0
  str r2, [r1, #4]
  ldr r2, [r1, #4]
  tst r2, #0x200
  bne 1b
  ldr r0, =plain_start
  ldr r1, =plain_end
  bl fill
  ldr r1, =stack_top
  ldr r0, =secret_start /* every word holds what is written to it, or nothing is done here */
1:
  mvn r2, r0
  str r2, [r0], #4
  cmp r0, r1
  blo 1b
  ldr r0, =secret_start
2:
  mvn r2, r0
  ldr r3, [r0], #4
  cmp r3, r2
  bne fault_entry
  cmp r0, r1
  blo 2b
  ldr r0, =secret_start
  bl fill
  ldr r0, =stack_top
  msr msp, r0
  push {r4-r6}
  mov r0, sp
  bl installer_main
  b fault_entry

  /* Words from r0 to before r1 become 0. */
  .thumb_func
  .type fill, %function
fill:
  movs r2, #0
1:
  cmp r0, r1
  it hs
  bxhs lr
  str r2, [r0], #4
  b 1b

  /*
   * Any fault or unexpected exception: backup SRAM and registers are cleared, then nothing is done
   * any more. No stack is used; the strip that no access is allowed to goes first.
   */
  .thumb_func
  .global fault_entry
  .type fault_entry, %function
fault_entry:
  cpsid i
  bl clear_backup
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
fault_spin:
  b fault_spin

  /*
   * The end: backup SRAM is cleared, the frames of whoever called included, the word is set that
   * tells boot to pass the entry rules, and the chip reset.
   */
  .thumb_func
  .global leave_by_reset
  .type leave_by_reset, %function
leave_by_reset:
  cpsid i
  bl clear_backup
  ldr r0, =skip_rules_word
  ldr r1, =0x4B534642
  str r1, [r0]
  dsb
  ldr r0, =0xE000ED0C /* AIRCR: SYSRESETREQ */
  ldr r1, =0x05FA0004
  str r1, [r0]
  b fault_spin

  /* All of backup SRAM becomes 0, the strip too; uses no stack. */
  .thumb_func
  .type clear_backup, %function
clear_backup:
  mov r12, lr
  ldr r0, =0xE000ED94 /* MPU_CTRL */
  movs r1, #0
  str r1, [r0]
  dsb
  isb
  ldr r0, =secret_start
  ldr r1, =stack_top
  bl fill
  bx r12
  .pool
