/*
 * The compression function of SHA-512 for a core whose registers somebody may read at an instant of
 * his choice, as whoever has its reset line can; sha512_m4.c is the one for speed, and tells of the
 * window and the schedule.
 *
 * A key of HMAC that has 32 bytes is the first four words of a block whose other words anybody
 * knows, so any four variables that differ by a round each would give it away. Therefore no more
 * than 128 bits of what depends on variables and schedule are in registers at any instant:
 * functions of three variables are made by halves, T2 = Sigma0(a) + Maj(a, b, c) waits in memory,
 * and what is no longer needed is overwritten before more is loaded.
 */
#include "internal.h"

#if defined BF_SHA512_ASSEMBLY && defined BF_SPARSE

__asm__(
    "  .syntax unified\n"
    "  .thumb\n"
    "  .section .text.bf_sha512_compress, \"ax\"\n"

    /*
     * On the stack: 16 places for the window to slide down, the window where it begins, 32 words of
     * schedule.
     */
    "  .equ TOP, 16*8\n"
    "  .equ SCHEDULE, TOP + 8*8\n"
    "  .equ LOCALS, SCHEDULE + 32*8\n"

    /* r6:r7 += x:y. */
    "  .macro PLUS x, y\n"
    "  adds r6, \\x\n"
    "  adcs r7, \\y\n"
    "  .endm\n"

    /* What was there is no longer needed. */
    "  .macro CLEAR x, y\n"
    "  movs \\x, #0\n"
    "  movs \\y, #0\n"
    "  .endm\n"

    /* out = the half at `at` of Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)); x and y are for its use. */
    "  .macro MAJ out, x, y, at\n"
    "  ldr \\out, [r8, #2*8+\\at]\n" /* c */
    "  ldr \\x, [r8, #0*8+\\at]\n"
    "  ldr \\y, [r8, #1*8+\\at]\n" /* b */
    "  eors \\x, \\y\n"
    "  eors \\out, \\y\n"
    "  ands \\out, \\x\n"
    "  eors \\out, \\y\n"
    "  .endm\n"

    /* out = the half at `at` of Ch(e, f, g) = g ^ (e & (f ^ g)); x and y are for its use. */
    "  .macro CH out, x, y, at\n"
    "  ldr \\x, [r8, #4*8+\\at]\n" /* e */
    "  ldr \\y, [r8, #5*8+\\at]\n"
    "  ldr \\out, [r8, #6*8+\\at]\n" /* g */
    "  eors \\y, \\out\n"
    "  ands \\y, \\x\n"
    "  eors \\out, \\y\n"
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
    "  .global bf_sha512_compress\n"
    "  .thumb_func\n"
    "  .type bf_sha512_compress, %function\n"
    "bf_sha512_compress:\n"
    "  push {r0, r4-r11, lr}\n"
    "  sub sp, #LOCALS\n"
    "  add r9, sp, #TOP\n"
    "  .rept 4\n"
    "  ldm r0!, {r2-r5}\n"
    "  stm r9!, {r2-r5}\n"
    "  .endr\n"
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
    "  CLEAR r2, r3\n"
    "  MAJ r6, r7, r0, 0*4\n"
    "  MAJ r7, r1, r0, 1*4\n"
    "  ldrd r0, r1, [r8]\n" /* a */
    "  TURN_FIRST r2, r0, r1, 28\n"
    "  TURN_FIRST r3, r1, r0, 28\n"
    "  TURN r2, r1, r0, 34-32\n"
    "  TURN r3, r0, r1, 34-32\n"
    "  TURN r2, r1, r0, 39-32\n"
    "  TURN r3, r0, r1, 39-32\n"
    "  PLUS r2, r3\n"
    "  strd r6, r7, [r8, #-8]\n" /* T2, where the next a comes */
    "  ldrd r6, r7, [r10], #8\n"
    "  CH r2, r0, r1, 0*4\n"
    "  CH r3, r0, r1, 1*4\n"
    "  PLUS r2, r3\n"
    "  ldrd r0, r1, [r8, #4*8]\n" /* e */
    "  TURN_FIRST r2, r0, r1, 14\n"
    "  TURN_FIRST r3, r1, r0, 14\n"
    "  TURN r2, r0, r1, 18\n"
    "  TURN r3, r1, r0, 18\n"
    "  TURN r2, r1, r0, 41-32\n"
    "  TURN r3, r0, r1, 41-32\n"
    "  PLUS r2, r3\n"
    "  CLEAR r2, r3\n"
    "  ldrd r0, r1, [r8, #7*8]\n" /* h */
    "  PLUS r0, r1\n"
    "  ldrd r0, r1, [r9]\n"
    "  PLUS r0, r1\n"
    "  ldrd r0, r1, [r8, #3*8]\n" /* d, the next e */
    "  adds r0, r6\n"
    "  adcs r1, r7\n"
    "  strd r0, r1, [r8, #3*8]\n"
    "  ldrd r0, r1, [r8, #-8]\n"
    "  PLUS r0, r1\n"
    "  strd r6, r7, [r8, #-8]!\n" /* the next a */
    "  ldrd r6, r7, [r9, #9*8]\n"
    "  ldrd r0, r1, [r9]\n"
    "  PLUS r0, r1\n"
    "  ldrd r0, r1, [r9, #1*8]\n"
    "  TURN_FIRST r2, r0, r1, 1\n"
    "  TURN_FIRST r3, r1, r0, 1\n"
    "  TURN r2, r0, r1, 8\n"
    "  TURN r3, r1, r0, 8\n"
    "  TURN r2, r0, r1, 7\n"
    "  eor r3, r3, r1, lsr #7\n"
    "  PLUS r2, r3\n"
    "  CLEAR r2, r3\n"
    "  ldrd r0, r1, [r9, #14*8]\n"
    "  TURN_FIRST r2, r0, r1, 19\n"
    "  TURN_FIRST r3, r1, r0, 19\n"
    "  TURN r2, r1, r0, 61-32\n"
    "  TURN r3, r0, r1, 61-32\n"
    "  TURN r2, r0, r1, 6\n"
    "  eor r3, r3, r1, lsr #6\n"
    "  PLUS r2, r3\n"
    "  strd r6, r7, [r9, #16*8]\n"
    "  strd r6, r7, [r9], #8\n"
    "  subs lr, #1\n"
    "  bne 3b\n"
    "  sub r9, #16*8\n"
    "  add r12, r8, #16*8\n"
    "  CLEAR r6, r7\n"
    "  .rept 4\n"
    "  ldm r8!, {r0-r3}\n"
    "  stm r12!, {r0-r3}\n"
    "  .endr\n"
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
    "  .size bf_sha512_compress, . - bf_sha512_compress\n"
    "  .text\n");

#else
typedef int bf_sha512_is_fast; /* a file must declare something */
#endif
