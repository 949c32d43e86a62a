/*
 * Salsa20 (Bernstein, "The Salsa20 family of stream ciphers"), HSalsa20 and XSalsa20 ("Extending the Salsa20 nonce").
 *
 * The 20 rounds run on 16 locals: each quarter-round step is one ADD and one EOR with a free rotation on the Cortex-M4.
 * The four quarter-rounds of a half are independent; their order is the one gcc 12 spills least with.
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

#define QUARTER(a, b, c, d)     \
  do {                          \
    (b) ^= rotl((a) + (d), 7);  \
    (c) ^= rotl((b) + (a), 9);  \
    (d) ^= rotl((c) + (b), 13); \
    (a) ^= rotl((d) + (c), 18); \
  } while (0)

BF_NO_SCHEDULE void bf_salsa20_rounds(uint32_t out[16], const uint32_t in[16]) {
  uint32_t x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4], x5 = in[5], x6 = in[6], x7 = in[7];
  uint32_t x8 = in[8], x9 = in[9], x10 = in[10], x11 = in[11], x12 = in[12], x13 = in[13], x14 = in[14], x15 = in[15];
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
  out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3, out[4] = x4, out[5] = x5, out[6] = x6, out[7] = x7;
  out[8] = x8, out[9] = x9, out[10] = x10, out[11] = x11, out[12] = x12, out[13] = x13, out[14] = x14, out[15] = x15;
}

/* Steps the 64-bit block counter, which is public. */
static void count_block(bf_salsa20 *s) {
  s->x[8] += 1;
  s->x[9] += s->x[8] == 0;
}

void bf_salsa20_next(uint32_t block[16], bf_salsa20 *s) {
  bf_salsa20_rounds(block, s->x);
  for (int i = 0; i < 16; i++) block[i] += s->x[i];
  count_block(s);
}

/* One whole block: feed-forward and XOR in one pass, `block` being scratch. */
BF_NO_SCHEDULE static void xor_block(uint32_t block[16], bf_salsa20 *s, uint8_t *m, const uint8_t *c) {
  bf_salsa20_rounds(block, s->x);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) bf_store_le32(m + 4 * i, bf_load_le32(c + 4 * i) ^ (block[i] + s->x[i]));
  count_block(s);
}

BF_NO_LIBC_CALLS void bf_xor_words(uint8_t *m, const uint8_t *c, const uint32_t *words, size_t len) {
  for (; len >= 4; len -= 4, m += 4, c += 4) bf_store_le32(m, bf_load_le32(c) ^ *words++);
  if (len == 0) return;
  uint32_t w = *words;
  for (; len > 0; len--, w >>= 8) *m++ = (uint8_t)(*c++ ^ w);
}

void bf_salsa20_xor(bf_salsa20 *s, uint8_t *m, const uint8_t *c, size_t len) {
  uint32_t block[16];
  for (; len >= 64; len -= 64, m += 64, c += 64) xor_block(block, s, m, c);
  if (len > 0) {
    bf_salsa20_next(block, s);
    bf_xor_words(m, c, block, len);
  }
  bf_wipe(block, sizeof block);
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
  uint8_t subkey[32], in[16] = {0};
  bf_hsalsa20(subkey, nonce, key);
  bf_copy(in, nonce + 16, 8);
  bf_salsa20_init(s, subkey, in);
  bf_wipe(subkey, sizeof subkey);
}
