/*
 * The compression function of SHA-512 for the Cortex-M4 (FIPS 180-4 section 6.4.2); sha512.c has
 * the same in C, sha512_sparse.c one that shows less of itself.
 *
 * A round changes two of the eight working variables and renames the rest, so they are a window
 * that slides down an array by one a round: nothing is moved, and the round exists once. Every 16
 * rounds the window is brought back to the top.
 *
 * Once used, a word of the message schedule gives way to the one 16 rounds on. That is written in
 * its place, and again 16 words behind it for those who look there: so all of the schedule is read
 * at fixed distances, too.
 */
#include "internal.h"

#ifdef BF_SHA512_ASSEMBLY

/* Beside sha512_sparse.c it is the one for what is no key. */
#ifdef BF_SPARSE
#define COMPRESS "bf_sha512_compress_open"
#else
#define COMPRESS "bf_sha512_compress"
#endif

__asm__(
    "  .syntax unified\n"
    "  .thumb\n"
    "  .section .text." COMPRESS ", \"ax\"\n"

    /*
     * On the stack: 16 places for the window to slide down, the window where it begins, 32 words of
     * schedule.
     */
    "  .equ TOP, 16*8\n"
    "  .equ SCHEDULE, TOP + 8*8\n"
    "  .equ LOCALS, SCHEDULE + 32*8\n"

    /* r6:r7 += r0:r1. */
    "  .macro PLUS\n"
    "  adds r6, r0\n"
    "  adcs r7, r1\n"
    "  .endm\n"

    /*
     * out ^= that half of rotr(x:y, n) which x is of x:y, or, for n of 32 and more, y: n is what is
     * over 32 then.
     */
    "  .macro TURN out, x, y, n\n"
    "  eor \\out, \\out, \\x, lsr #(\\n)\n"
    "  eor \\out, \\out, \\y, lsl #32-(\\n)\n"
    "  .endm\n"
    "  .macro TURN_FIRST out, x, y, n\n"
    "  lsrs \\out, \\x, #(\\n)\n"
    "  eor \\out, \\out, \\y, lsl #32-(\\n)\n"
    "  .endm\n"

    /* bf_sha512_compress(r0 = h, r1 = block). */
    "  .balign 4\n"
    "  .global " COMPRESS "\n"
    "  .thumb_func\n"
    "  .type " COMPRESS ", %function\n"
    COMPRESS ":\n"
    "  push {r0, r4-r11, lr}\n"
    "  sub sp, #LOCALS\n"
    "  add r9, sp, #TOP\n"
    "  ldm r0!, {r2-r7, r10, r11}\n"
    "  stm r9!, {r2-r7, r10, r11}\n"
    "  ldm r0, {r2-r7, r10, r11}\n"
    "  stm r9!, {r2-r7, r10, r11}\n"
    "  mov r8, r9\n"
    "  movs r0, #16\n"
    "1:\n"
    "  ldr r3, [r1], #4\n" /* singly, for the block may lie anywhere */
    "  ldr r2, [r1], #4\n"
    "  rev r2, r2\n"
    "  rev r3, r3\n"
    "  strd r2, r3, [r8], #8\n"
    "  subs r0, #1\n"
    "  bne 1b\n"
    "  ldr r10, =bf_sha512_k\n"
    "  mov r11, #5\n"
    /*
     * Sixteen rounds, lr of them left, r11 sixteens; r8 is where the window stands, r9 and r10 the
     * word and the constant of the round.
     */
    "2:\n"
    "  add r8, sp, #TOP\n"
    "  mov lr, #16\n"
    "3:\n"
    "  ldrd r4, r5, [r8, #4*8]\n" /* e */
    "  TURN_FIRST r6, r4, r5, 14\n"
    "  TURN_FIRST r7, r5, r4, 14\n"
    "  TURN r6, r4, r5, 18\n"
    "  TURN r7, r5, r4, 18\n"
    "  TURN r6, r5, r4, 41-32\n"
    "  TURN r7, r4, r5, 41-32\n"
    "  ldrd r0, r1, [r8, #7*8]\n" /* h */
    "  PLUS\n"
    "  ldrd r0, r1, [r10], #8\n"
    "  PLUS\n"
    "  ldrd r0, r1, [r8, #5*8]\n" /* f */
    "  ldrd r2, r3, [r8, #6*8]\n" /* g */
    "  eors r0, r2\n"
    "  eors r1, r3\n"
    "  ands r0, r4\n"
    "  ands r1, r5\n"
    "  eors r0, r2\n" /* Ch(e, f, g) = g ^ (e & (f ^ g)) */
    "  eors r1, r3\n"
    "  PLUS\n"
    "  ldrd r0, r1, [r9]\n"
    "  PLUS\n"
    "  ldrd r2, r3, [r8, #3*8]\n" /* d, the next e */
    "  adds r2, r6\n"
    "  adcs r3, r7\n"
    "  strd r2, r3, [r8, #3*8]\n"
    "  ldrd r4, r5, [r8]\n" /* a */
    "  TURN_FIRST r2, r4, r5, 28\n"
    "  TURN_FIRST r3, r5, r4, 28\n"
    "  TURN r2, r5, r4, 34-32\n"
    "  TURN r3, r4, r5, 34-32\n"
    "  TURN r2, r5, r4, 39-32\n"
    "  TURN r3, r4, r5, 39-32\n"
    "  adds r6, r2\n"
    "  adcs r7, r3\n"
    "  ldrd r2, r3, [r8, #1*8]\n" /* b */
    "  eors r4, r2\n"
    "  eors r5, r3\n"
    "  ldrd r0, r1, [r8, #2*8]\n" /* c */
    "  eors r0, r2\n"
    "  eors r1, r3\n"
    "  ands r0, r4\n"
    "  ands r1, r5\n"
    "  eors r0, r2\n" /* Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)) */
    "  eors r1, r3\n"
    "  PLUS\n"
    "  strd r6, r7, [r8, #-8]!\n" /* the next a */
    "  ldrd r6, r7, [r9]\n"
    "  ldrd r2, r3, [r9, #1*8]\n"
    "  TURN_FIRST r0, r2, r3, 1\n"
    "  TURN_FIRST r1, r3, r2, 1\n"
    "  TURN r0, r2, r3, 8\n"
    "  TURN r1, r3, r2, 8\n"
    "  TURN r0, r2, r3, 7\n"
    "  eor r1, r1, r3, lsr #7\n"
    "  PLUS\n"
    "  ldrd r0, r1, [r9, #9*8]\n"
    "  PLUS\n"
    "  ldrd r2, r3, [r9, #14*8]\n"
    "  TURN_FIRST r0, r2, r3, 19\n"
    "  TURN_FIRST r1, r3, r2, 19\n"
    "  TURN r0, r3, r2, 61-32\n"
    "  TURN r1, r2, r3, 61-32\n"
    "  TURN r0, r2, r3, 6\n"
    "  eor r1, r1, r3, lsr #6\n"
    "  PLUS\n"
    "  strd r6, r7, [r9, #16*8]\n"
    "  strd r6, r7, [r9], #8\n"
    "  subs lr, #1\n"
    "  bne 3b\n"
    "  sub r9, #16*8\n"
    "  add r12, r8, #16*8\n"
    "  ldm r8!, {r0-r7}\n"
    "  stm r12!, {r0-r7}\n"
    "  ldm r8, {r0-r7}\n"
    "  stm r12, {r0-r7}\n"
    "  subs r11, #1\n"
    "  bne 2b\n"
    "  ldr r0, [sp, #LOCALS]\n"
    "  movs r1, #8\n"
    "  add r8, sp, #TOP\n"
    "4:\n"
    "  ldrd r2, r3, [r0]\n"
    "  ldrd r4, r5, [r8], #8\n"
    "  adds r2, r4\n"
    "  adcs r3, r5\n"
    "  strd r2, r3, [r0], #8\n"
    "  subs r1, #1\n"
    "  bne 4b\n"
    "  mov r0, sp\n"
    "  mov r1, #LOCALS\n"
    "  bl bf_wipe\n"
    "  add sp, #LOCALS+4\n"
    "  pop {r4-r11, pc}\n"
    "  .pool\n"
    "  .size " COMPRESS ", . - " COMPRESS "\n"
    "  .text\n");

#else
typedef int bf_sha512_is_c; /* a file must declare something */
#endif
