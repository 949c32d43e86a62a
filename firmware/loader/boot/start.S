/*
 * Vectors and entry of the loader. The core starts here after every reset; the stack of boot is the
 * end of SRAM, all else there is the image's.
 */
  .syntax unified
  .thumb

  .section .vectors, "a"
  .word boot_stack_top
  .word boot_entry
  .rept 14 /* exceptions 2 to 15: none is to come */
  .word boot_fault
  .endr

  .section .text.boot_entry, "ax"
  .thumb_func
  .global boot_entry
  .type boot_entry, %function
boot_entry:
  cpsid i
  ldr r0, =boot_stack_top
  msr msp, r0
  b boot_main

  .thumb_func
  .type boot_fault, %function
boot_fault:
  cpsid i
  b boot_fault
  .pool

  /* r0: the vectors of the image. */
  .section .text.jump_to_image, "ax"
  .thumb_func
  .global jump_to_image
  .type jump_to_image, %function
jump_to_image:
  ldr r1, =0xE000ED08 /* VTOR */
  str r0, [r1]
  dsb
  ldr r12, [r0, #4]
  ldr r0, [r0]
  msr msp, r0
  mov lr, #0xFFFFFFFF
  movs r0, #0
  movs r1, #0
  movs r2, #0
  movs r3, #0
  movs r4, #0
  movs r5, #0
  movs r6, #0
  movs r7, #0
  mov r8, r0
  mov r9, r0
  mov r10, r0
  mov r11, r0
  cpsie i
  isb
  bx r12
  .pool

  /*
   * r0: the handover, whose words travel in registers, for the stack is given up. The installer's
   * first word is its stack, the second its entry.
   */
  .section .text.enter_installer, "ax"
  .thumb_func
  .global enter_installer
  .type enter_installer, %function
enter_installer:
  ldm r0, {r4-r6}
  ldr r0, =installer_image
  ldr r1, =installer_image_end
  ldr r2, =0x20000000
1:
  ldr r3, [r0], #4
  str r3, [r2], #4
  cmp r0, r1
  blo 1b
  dsb
  ldr r0, =0x20000000
  ldr r1, [r0, #4]
  bx r1
  .pool

  .section .installer, "a"
  .global installer_image, installer_image_end
  .balign 4
installer_image:
  .incbin INSTALLER
  .balign 4
installer_image_end:
