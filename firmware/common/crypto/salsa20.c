/*
 * Salsa20 (Bernstein, "The Salsa20 family of stream ciphers"), HSalsa20 and XSalsa20 ("Extending
 * the Salsa20 nonce").
 *
 * The 20 rounds run on 16 locals: each quarter-round step is one ADD and one EOR with a free
 * rotation on the Cortex-M4. The four quarter-rounds of a half are independent; their order is the
 * one gcc 12 spills least with.
 */
#include "internal.h"
#include "util.h"

static const uint8_t sigma[16] = "expand 32-byte k"; /* without the final zero */

BF_INLINE uint32_t rotl(uint32_t v, int n) {
  return v << n | v >> (32 - n);
}

void bf_salsa20_init(bf_salsa20 *s, const uint8_t key[32], const uint8_t in[16]) {
  for (int i = 0; i < 4; i++) {
    s->x[5 * i] = bf_load_le32(sigma + 4 * i);
    s->x[1 + i] = bf_load_le32(key + 4 * i);
    s->x[6 + i] = bf_load_le32(in + 4 * i);
    s->x[11 + i] = bf_load_le32(key + 16 + 4 * i);
  }
}

#if defined BF_SPARSE

/* The words of the quarter-rounds of a double round. */
static const uint8_t quarters[] = {0, 4, 8,  12, 10, 14, 2,  6, 15, 3,  7,  11, 5, 9, 13, 1,
                                   0, 1, 2,  3,  15, 12, 13, 14, 10, 11, 8, 9,  5, 6, 7,  4};

BF_NOINLINE static void quarter(uint32_t x[16], const uint8_t at[4]) {
  uint32_t a = x[at[0]], b = x[at[1]], c = x[at[2]], d = x[at[3]];
  b ^= rotl(a + d, 7);
  c ^= rotl(b + a, 9);
  d ^= rotl(c + b, 13);
  a ^= rotl(d + c, 18);
  x[at[0]] = a, x[at[1]] = b, x[at[2]] = c, x[at[3]] = d;
}

/*
 * Four of the 16 words are in registers at a time: of more, whoever stops the core by a reset and
 * reads the registers could work out the key. Four times as slow as the other.
 */
void bf_salsa20_rounds(uint32_t out[16], const uint32_t in[16]) {
  bf_copy((uint8_t *)out, (const uint8_t *)in, 64);
  for (uint32_t i = 0; i < 10; i++)
    for (uint32_t at = 0; at < sizeof quarters; at += 4) quarter(out, quarters + at);
}

#elif defined(__ARM_FEATURE_DSP) && !defined(BF_SALSA20_TWIN)

/*
 * The C twin below, with 13 of the 16 words in registers: 5, 13 and 1 wait in memory while the
 * column round works on the other three columns, 10, 11 and 8 while the row round works on the
 * other three rows. Each ADD and each EOR with its rotation is one cycle.
 */
__attribute__((naked, section(".front"))) void bf_salsa20_rounds(
    uint32_t out[16] __attribute__((unused)), const uint32_t in[16] __attribute__((unused))) {
  __asm__ volatile(
      "  .macro QUARTER a, b, c, d\n"
      "  adds r0, \\a, \\d\n"
      "  eor \\b, \\b, r0, ror #25\n"
      "  adds r0, \\b, \\a\n"
      "  eor \\c, \\c, r0, ror #23\n"
      "  adds r0, \\c, \\b\n"
      "  eor \\d, \\d, r0, ror #19\n"
      "  adds r0, \\d, \\c\n"
      "  eor \\a, \\a, r0, ror #14\n"
      "  .endm\n"
      "  push {r0, r4-r11, lr}\n"
      "  sub sp, #28\n" /* words 5, 13, 1, then 10, 8, 11; rounds left */
      "  ldr r0, [r1, #20]\n"
      "  str r0, [sp, #0]\n"
      "  ldr r0, [r1, #52]\n"
      "  str r0, [sp, #4]\n"
      "  ldr r0, [r1, #4]\n"
      "  str r0, [sp, #8]\n"
      "  adds r1, #8\n"
      "  ldm r1!, {r2, r3, r4}\n" /* words 2, 3, 4 */
      "  adds r1, #4\n"
      "  ldm r1!, {r5-r11}\n" /* words 6 to 12 */
      "  adds r1, #4\n"
      "  ldm r1, {r12, lr}\n"  /* words 14, 15 */
      "  ldr r1, [r1, #-56]\n" /* word 0 */
      "  movs r0, #10\n"
      "1:\n"
      "  str r0, [sp, #24]\n"
      "  QUARTER r1, r4, r7, r11\n" /* 0, 4, 8, 12 */
      "  QUARTER r9, r12, r2, r5\n" /* 10, 14, 2, 6 */
      "  QUARTER lr, r3, r6, r10\n" /* 15, 3, 7, 11 */
      "  str r9, [sp, #12]\n"
      "  str r7, [sp, #16]\n"
      "  str r10, [sp, #20]\n"
      "  ldr r9, [sp, #0]\n"
      "  ldr r7, [sp, #4]\n"
      "  ldr r10, [sp, #8]\n"
      "  QUARTER r9, r8, r7, r10\n"  /* 5, 9, 13, 1 */
      "  QUARTER r1, r10, r2, r3\n"  /* 0, 1, 2, 3 */
      "  QUARTER r9, r5, r6, r4\n"   /* 5, 6, 7, 4 */
      "  QUARTER lr, r11, r7, r12\n" /* 15, 12, 13, 14 */
      "  str r9, [sp, #0]\n"
      "  str r7, [sp, #4]\n"
      "  str r10, [sp, #8]\n"
      "  ldr r9, [sp, #12]\n"
      "  ldr r7, [sp, #16]\n"
      "  ldr r10, [sp, #20]\n"
      "  QUARTER r9, r10, r7, r8\n" /* 10, 11, 8, 9 */
      "  ldr r0, [sp, #24]\n"
      "  subs r0, #1\n"
      "  bne 1b\n"
      "  ldr r0, [sp, #28]\n" /* out */
      "  str r1, [r0], #4\n"
      "  ldr r1, [sp, #8]\n"
      "  stm r0!, {r1, r2, r3, r4}\n"
      "  ldr r1, [sp, #0]\n"
      "  stm r0!, {r1, r5-r11}\n"
      "  ldr r1, [sp, #4]\n"
      "  stm r0!, {r1, r12, lr}\n"
      "  add sp, #32\n"
      "  pop {r4-r11, pc}\n");
}

#else

#define QUARTER(a, b, c, d)     \
  do {                          \
    (b) ^= rotl((a) + (d), 7);  \
    (c) ^= rotl((b) + (a), 9);  \
    (d) ^= rotl((c) + (b), 13); \
    (a) ^= rotl((d) + (c), 18); \
  } while (0)

BF_NO_SCHEDULE void bf_salsa20_rounds(uint32_t out[16], const uint32_t in[16]) {
  uint32_t x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4], x5 = in[5], x6 = in[6],
           x7 = in[7];
  uint32_t x8 = in[8], x9 = in[9], x10 = in[10], x11 = in[11], x12 = in[12], x13 = in[13],
           x14 = in[14], x15 = in[15];
  for (int i = 0; i < 10; i++) {
    QUARTER(x0, x4, x8, x12);
    QUARTER(x10, x14, x2, x6);
    QUARTER(x15, x3, x7, x11);
    QUARTER(x5, x9, x13, x1);
    QUARTER(x0, x1, x2, x3);
    QUARTER(x15, x12, x13, x14);
    QUARTER(x10, x11, x8, x9);
    QUARTER(x5, x6, x7, x4);
  }
  out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3, out[4] = x4, out[5] = x5, out[6] = x6,
  out[7] = x7;
  out[8] = x8, out[9] = x9, out[10] = x10, out[11] = x11, out[12] = x12, out[13] = x13,
  out[14] = x14, out[15] = x15;
}

#endif

/*
 * m = c XOR the next 64 bytes of keystream, which are counted: the block counter is 64 bits, and
 * public.
 */
static void xor_block(bf_salsa20 *s, uint8_t *m, const uint8_t *c) {
  uint32_t block[16];
  bf_salsa20_rounds(block, s->x);
  for (uint32_t i = 0; i < 16; i++)
    bf_store_le32(m + 4 * i, bf_load_le32(c + 4 * i) ^ (block[i] + s->x[i]));
  s->x[8] += 1;
  s->x[9] += s->x[8] == 0;
}

void bf_salsa20_next(uint32_t block[16], bf_salsa20 *s) {
  bf_wipe(block, 64);
  xor_block(s, (uint8_t *)block, (const uint8_t *)block);
}

void bf_salsa20_xor(bf_salsa20 *s, uint8_t *m, const uint8_t *c, size_t len) {
  uint8_t last[64];
  for (; len >= 64; len -= 64, m += 64, c += 64) xor_block(s, m, c);
  if (len == 0) return;
  bf_copy(last, c, len);
  xor_block(s, last, last);
  bf_copy(m, last, len);
  bf_wipe(last, sizeof last);
}

void bf_hsalsa20(uint8_t out[32], const uint8_t in[16], const uint8_t key[32]) {
  bf_salsa20 s;
  bf_salsa20_init(&s, key, in);
  bf_salsa20_rounds(s.x, s.x);
  for (int i = 0; i < 4; i++) {
    bf_store_le32(out + 4 * i, s.x[5 * i]);
    bf_store_le32(out + 16 + 4 * i, s.x[6 + i]);
  }
  bf_wipe(&s, sizeof s);
}

void bf_xsalsa20_init(bf_salsa20 *s, const uint8_t nonce[24], const uint8_t key[32]) {
  uint8_t subkey[32];
  bf_hsalsa20(subkey, nonce, key);
  bf_salsa20_init(s, subkey, nonce + 8);
  s->x[6] = s->x[8]; /* the last 8 bytes of the nonce; the counter begins at 0 */
  s->x[7] = s->x[9];
  s->x[8] = s->x[9] = 0;
  bf_wipe(subkey, sizeof subkey);
}
