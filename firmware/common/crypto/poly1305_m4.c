/*
 * The blocks of Poly1305 for the Cortex-M4: poly1305.c has the same in C, and says what the state
 * holds and how large it gets.
 *
 * A row is one limb of r times the four of h; where its columns reach 2^128 it goes on at the
 * bottom with 5/4 of that limb. UMAAL carries from column to column, and what leaves the last one
 * is below 2^29 and added to the fifth limb.
 */
#include "internal.h"

#ifdef BF_POLY1305_ASSEMBLY

__asm__(
    "  .syntax unified\n"
    "  .thumb\n"
    "  .section .text.bf_poly1305_blocks, \"ax\"\n"

    /* bf_poly1305_blocks(r0 = state, r1 = m, r2 = blocks, r3 = top). */
    "  .balign 4\n"
    "  .global bf_poly1305_blocks\n"
    "  .thumb_func\n"
    "  .type bf_poly1305_blocks, %function\n"
    "bf_poly1305_blocks:\n"
    "  push {r3-r11, lr}\n"
    "  add lr, r1, r2, lsl #4\n"
    "  adds r0, #32\n"
    "  ldm r0, {r8-r12}\n"
    "  subs r0, #32\n"
    "  b 2f\n"
    "1:\n"
    "  lsr r2, r12, #2\n" /* h + m: r4 to r7 and r12 */
    "  add r2, r2, r2, lsl #2\n"
    "  and r12, r12, #3\n"
    "  movs r3, #1\n"
    "  ldr r4, [r1, #0]\n"
    "  ldr r5, [r1, #4]\n"
    "  ldr r6, [r1, #8]\n"
    "  ldr r7, [r1, #12]\n"
    "  adds r1, #16\n"
    "  umaal r4, r2, r8, r3\n"
    "  umaal r5, r2, r9, r3\n"
    "  umaal r6, r2, r10, r3\n"
    "  umaal r7, r2, r11, r3\n"
    "  ldr r3, [sp]\n"
    "  add r12, r2\n"
    "  add r12, r3\n"
    "  ldm r0, {r8-r11}\n" /* columns of the product, first those of the fifth limb */
    "  mul r8, r8, r12\n"
    "  mul r9, r9, r12\n"
    "  mul r10, r10, r12\n"
    "  mul r11, r11, r12\n"
    "  ldr r3, [r0, #16]\n"
    "  and r2, r3, #3\n"
    "  mul r12, r12, r2\n"
    "  movs r2, #0\n"
    "  umaal r8, r2, r4, r3\n"
    "  umaal r9, r2, r5, r3\n"
    "  umaal r10, r2, r6, r3\n"
    "  umaal r11, r2, r7, r3\n"
    "  add r12, r2\n"
    "  ldr r3, [r0, #4]\n"
    "  movs r2, #0\n"
    "  umaal r8, r2, r7, r3\n"
    "  ldr r3, [r0, #16+4]\n"
    "  umaal r9, r2, r4, r3\n"
    "  umaal r10, r2, r5, r3\n"
    "  umaal r11, r2, r6, r3\n"
    "  add r12, r2\n"
    "  ldr r3, [r0, #8]\n"
    "  movs r2, #0\n"
    "  umaal r8, r2, r6, r3\n"
    "  umaal r9, r2, r7, r3\n"
    "  ldr r3, [r0, #16+8]\n"
    "  umaal r10, r2, r4, r3\n"
    "  umaal r11, r2, r5, r3\n"
    "  add r12, r2\n"
    "  ldr r3, [r0, #12]\n"
    "  movs r2, #0\n"
    "  umaal r8, r2, r5, r3\n"
    "  umaal r9, r2, r6, r3\n"
    "  umaal r10, r2, r7, r3\n"
    "  ldr r3, [r0, #16+12]\n"
    "  umaal r11, r2, r4, r3\n"
    "  add r12, r2\n"
    "2:\n"
    "  cmp r1, lr\n"
    "  bne 1b\n"
    "  adds r0, #32\n"
    "  stm r0!, {r8-r12}\n"
    "  pop {r3-r11, pc}\n"
    "  .size bf_poly1305_blocks, . - bf_poly1305_blocks\n"
    "  .text\n");

#else
typedef int bf_poly1305_is_c; /* a file must declare something */
#endif
