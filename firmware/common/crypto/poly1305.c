/*
 * Poly1305 (Bernstein, "The Poly1305-AES message-authentication code"; RFC 8439 section 2.5).
 *
 * The accumulator h is four 32-bit limbs and a small fifth; r is four limbs. Clamping makes 5/4 of
 * every limb of r but the lowest an integer, so what a product has at 2^128 and above is folded
 * while it is summed: 2^130 = 5. Limbs of r are below 2^28, of 5/4 r below 1.25 * 2^28; a column of
 * five products stays below 2^63.
 */
#include "internal.h"
#include "umaal.h"
#include "util.h"

#ifndef BF_POLY1305_ASSEMBLY

BF_INLINE uint64_t wide(uint32_t a, uint32_t b) {
  return (uint64_t)a * b;
}

void bf_poly1305_blocks(bf_poly1305_state *p, const uint8_t *m, size_t blocks, uint32_t top) {
  uint32_t h0 = p->h[0], h1 = p->h[1], h2 = p->h[2], h3 = p->h[3], h4 = p->h[4];
  const uint32_t *r = p->r, *q = p->q;
  for (; blocks > 0; blocks--, m += 16) {
    uint32_t c = 5 * (h4 >> 2);
    umaal(&h0, &c, bf_load_le32(m), 1);
    umaal(&h1, &c, bf_load_le32(m + 4), 1);
    umaal(&h2, &c, bf_load_le32(m + 8), 1);
    umaal(&h3, &c, bf_load_le32(m + 12), 1);
    h4 = (h4 & 3) + c + top;

    uint64_t d = wide(h0, r[0]) + wide(h1, q[3]) + wide(h2, q[2]) + wide(h3, q[1]) + wide(h4, q[0]);
    uint32_t n0 = (uint32_t)d;
    d = (d >> 32) + wide(h0, r[1]) + wide(h1, r[0]) + wide(h2, q[3]) + wide(h3, q[2]) +
        wide(h4, q[1]);
    uint32_t n1 = (uint32_t)d;
    d = (d >> 32) + wide(h0, r[2]) + wide(h1, r[1]) + wide(h2, r[0]) + wide(h3, q[3]) +
        wide(h4, q[2]);
    uint32_t n2 = (uint32_t)d;
    d = (d >> 32) + wide(h0, r[3]) + wide(h1, r[2]) + wide(h2, r[1]) + wide(h3, r[0]) +
        wide(h4, q[3]);
    h3 = (uint32_t)d;
    h4 = (uint32_t)(d >> 32) + h4 * (r[0] & 3);
    h0 = n0, h1 = n1, h2 = n2;
  }
  p->h[0] = h0, p->h[1] = h1, p->h[2] = h2, p->h[3] = h3, p->h[4] = h4;
}

#endif

/* tag = (h mod 2^130 - 5) + s modulo 2^128. */
static void finish(bf_poly1305_state *p, uint8_t tag[16], const uint8_t s[16]) {
  uint32_t c = 5 * (p->h[4] >> 2);
  p->h[4] &= 3;
  bf_add_small(p->h, p->h, 5, c);
  bf_add_small(p->spare, p->h, 5, 5);
  /* h + 5 reaches 2^130 exactly when h has to lose 2^130 - 5 */
  bf_add_small(p->h, p->h, 5, 5 * (p->spare[4] >> 2));
  c = 0;
  for (int i = 0; i < 4; i++) {
    umaal(&p->h[i], &c, bf_load_le32(s + 4 * i), 1);
    bf_store_le32(tag + 4 * i, p->h[i]);
  }
}

void bf_poly1305(uint8_t tag[16], const uint8_t *m, size_t len, const uint8_t key[32]) {
  bf_poly1305_state p;
  size_t rest = len % 16;
  uint32_t clamp = 0x0fffffff;
  bf_wipe(&p, sizeof p);
  for (int i = 0; i < 4; i++, clamp = 0x0ffffffc) {
    p.r[i] = bf_load_le32(key + 4 * i) & clamp;
    p.q[i] = 5 * (p.r[i] >> 2);
  }
  bf_poly1305_blocks(&p, m, len / 16, 1);
  if (rest != 0) {
    uint8_t *last = (uint8_t *)p.spare;
    bf_copy(last, m + len - rest, rest);
    last[rest] = 1;
    bf_poly1305_blocks(&p, last, 1, 0);
  }
  finish(&p, tag, key + 16);
  bf_wipe(&p, sizeof p);
}
