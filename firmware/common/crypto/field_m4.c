/*
 * Field arithmetic for the Cortex-M4: see field.h for what it computes, field.c for the same in C.
 * The three operations take their pointers in r0, r1 and r2 and a factor in r3, leave r0 as it was
 * and keep no other register but sp: fe_walk needs none of them.
 *
 * UMAAL lo, hi, x, y gives hi:lo = x * y + lo + hi in one cycle whatever the operands. A product is
 * made of rows: one limb of b times four limbs of a. A row adds to four accumulators, its lowest
 * limb is finished and stored, and the register it leaves free takes the carry of the next row, so
 * the five registers of the window turn and nothing is moved. The first pass of eight rows is that
 * of a[0..3] and gives w[0..11]; the second is that of a[4..7], on top of w[4..11]. Then w[0..7] +
 * 38 * w[8..15] is a sum like any other.
 */
#include "field.h"

#ifdef BF_FIELD_ASSEMBLY

#define BF_FIELD_TEXT(x) #x
#define BF_FIELD_NUMBER(x) BF_FIELD_TEXT(x)

__asm__(
    "  .syntax unified\n"
    "  .thumb\n"
    "  .section .text.bf_field, \"ax\"\n"

    /*
     * w[n] of this pass += y * (r8:r9:r10:r11) with y = b[n]; the window is t0..t3, and the
     * register c takes its carry.
     */
    "  .macro ROW t0, t1, t2, t3, c, n\n"
    "  ldr r0, [r2, #4*(\\n)]\n"
    "  ldr \\c, [r1, #4*(\\n)]\n"
    "  umaal \\t0, \\c, r8, r0\n"
    "  umaal \\t1, \\c, r9, r0\n"
    "  umaal \\t2, \\c, r10, r0\n"
    "  umaal \\t3, \\c, r11, r0\n"
    "  str \\t0, [r1, #4*(\\n)]\n"
    "  .endm\n"
    "  .macro ZERO a, b, c, d\n"
    "  movs \\a, #0\n"
    "  movs \\b, #0\n"
    "  movs \\c, #0\n"
    "  movs \\d, #0\n"
    "  .endm\n"

    /*
     * r0 = r1 * r2. The 16 words of the product are at sp; r1 is where in them the pass stands, lr
     * what is left of a, r12 its turns.
     */
    "  .balign 4\n"
    "  .global bf_field_mul\n"
    "  .thumb_func\n"
    "  .type bf_field_mul, %function\n"
    "bf_field_mul:\n"
    "  push {r0, lr}\n"
    "  sub sp, #64\n"
    "  mov lr, r1\n"
    "  mov r1, sp\n"
    "  ZERO r3, r4, r5, r6\n"
    "  stm r1!, {r3-r6}\n"
    "  stm r1!, {r3-r6}\n"
    "  mov r1, sp\n"
    "  mov r12, #2\n"
    "1:\n"
    "  ldm lr!, {r8-r11}\n"
    "  ZERO r3, r4, r5, r6\n"
    "  ROW r3, r4, r5, r6, r7, 0\n"
    "  ROW r4, r5, r6, r7, r3, 1\n"
    "  ROW r5, r6, r7, r3, r4, 2\n"
    "  ROW r6, r7, r3, r4, r5, 3\n"
    "  ROW r7, r3, r4, r5, r6, 4\n"
    "  ROW r3, r4, r5, r6, r7, 5\n"
    "  ROW r4, r5, r6, r7, r3, 6\n"
    "  ROW r5, r6, r7, r3, r4, 7\n"
    "  str r6, [r1, #32]\n"
    "  str r7, [r1, #36]\n"
    "  str r3, [r1, #40]\n"
    "  str r4, [r1, #44]\n"
    "  adds r1, #16\n"
    "  subs r12, #1\n"
    "  bne 1b\n"
    "  ldr r0, [sp, #64]\n"
    "  mov r1, sp\n"
    "  add r2, sp, #32\n"
    "  movs r3, #38\n" /* 2^256 = 38 */
    "  bl bf_field_add_times\n"
    "  add sp, #68\n"
    "  pop {pc}\n"
    "  .size bf_field_mul, . - bf_field_mul\n"

    /*
     * r0 = r1 + r3 * r2, r3 below 2^26. What is carried out of it comes back times 38, and if that
     * wraps, less than 38 * 2^26 is left.
     */
    "  .balign 4\n"
    "  .global bf_field_add_times\n"
    "  .thumb_func\n"
    "  .type bf_field_add_times, %function\n"
    "bf_field_add_times:\n"
    "  push {r0, lr}\n"
    "  ldm r1, {r4-r11}\n"
    "  mov lr, #0\n"
    "  .macro PAIR x, y\n"
    "  ldm r2!, {r0, r1}\n"
    "  umaal \\x, lr, r0, r3\n"
    "  umaal \\y, lr, r1, r3\n"
    "  .endm\n"
    "  PAIR r4, r5\n"
    "  PAIR r6, r7\n"
    "  PAIR r8, r9\n"
    "  PAIR r10, r11\n"
    "  movs r1, #38\n"
    "  movs r2, #0\n"
    "  mul lr, lr, r1\n"
    "  adds r4, r4, lr\n"
    "  .irp x, r5, r6, r7, r8, r9, r10, r11\n"
    "  adcs \\x, \\x, r2\n"
    "  .endr\n"
    "  sbcs r0, r0\n" /* 0 after a wrap, else all ones */
    "  bics r1, r0\n"
    "  add r4, r1\n"
    "  pop {r0, lr}\n"
    "  stm r0, {r4-r11}\n"
    "  bx lr\n"
    "  .size bf_field_add_times, . - bf_field_add_times\n"

    /*
     * r0 = r1 - r2: a borrow stands for 2^256 too much, so 38 has to go, which may borrow once
     * more.
     */
    "  .balign 4\n"
    "  .global bf_field_sub\n"
    "  .thumb_func\n"
    "  .type bf_field_sub, %function\n"
    "bf_field_sub:\n"
    "  ldm r1, {r4-r11}\n"
    "  ldm r2!, {r1, r3, r12}\n"
    "  subs r4, r4, r1\n"
    "  sbcs r5, r5, r3\n"
    "  sbcs r6, r6, r12\n"
    "  ldm r2!, {r1, r3, r12}\n"
    "  sbcs r7, r7, r1\n"
    "  sbcs r8, r8, r3\n"
    "  sbcs r9, r9, r12\n"
    "  ldm r2!, {r1, r3}\n"
    "  sbcs r10, r10, r1\n"
    "  sbcs r11, r11, r3\n"
    "  movs r2, #38\n"
    "  movs r3, #0\n"
    "  sbcs r1, r1\n"
    "  ands r1, r2\n"
    "  subs r4, r1\n"
    "  .irp x, r5, r6, r7, r8, r9, r10, r11\n"
    "  sbcs \\x, \\x, r3\n"
    "  .endr\n"
    "  sbcs r1, r1\n"
    "  ands r1, r2\n"
    "  subs r4, r1\n"
    "  stm r0, {r4-r11}\n"
    "  bx lr\n"
    "  .size bf_field_sub, . - bf_field_sub\n"

    /* fe_walk(r0 = v, r1 = step, r2 = end). Kept at sp: v, step, end, squarings left. */
    "  .balign 4\n"
    "  .global fe_walk\n"
    "  .thumb_func\n"
    "  .type fe_walk, %function\n"
    "fe_walk:\n"
    "  push {r0-r11, lr}\n"
    "1:\n"
    "  ldrd r4, r5, [sp]\n"
    "  ldrb r0, [r5]\n"
    "  ldrb r1, [r5, #1]\n"
    "  ldrb r2, [r5, #2]\n"
    "  ldrb r3, [r5, #3]\n"
    "  add r0, r4, r0, lsl #5\n"
    "  add r1, r4, r1, lsl #5\n"
    "  add r2, r4, r2, lsl #5\n"
    "  cmp r3, #" BF_FIELD_NUMBER(FE_PLUS_A24) "\n"
    "  beq 4f\n"
    "  bhi 5f\n"
    "  cmp r3, #" BF_FIELD_NUMBER(FE_PLUS) "\n"
    "  beq 3f\n"
    "2:\n"
    "  str r3, [sp, #12]\n"
    "  bl bf_field_mul\n"
    "  ldr r3, [sp, #12]\n"
    "  mov r1, r0\n"
    "  mov r2, r0\n"
    "  subs r3, #1\n"
    "  bpl 2b\n"
    "  b 6f\n"
    "3:\n"
    "  movs r3, #1\n"
    "  b 7f\n"
    "4:\n"
    "  ldr r3, =121665\n"
    "7:\n"
    "  bl bf_field_add_times\n"
    "  b 6f\n"
    "5:\n"
    "  bl bf_field_sub\n"
    "6:\n"
    "  ldrd r1, r2, [sp, #4]\n"
    "  adds r1, #4\n"
    "  str r1, [sp, #4]\n"
    "  cmp r1, r2\n"
    "  bne 1b\n"
    "  add sp, #16\n"
    "  pop {r4-r11, pc}\n"
    "  .pool\n"
    "  .size fe_walk, . - fe_walk\n"
    "  .text\n");

#else
typedef int bf_field_is_c; /* a file must declare something */
#endif
