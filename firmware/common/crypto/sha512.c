/*
 * SHA-512, FIPS 180-4 sections 4.1.3, 5.1.2 and 6.4.
 *
 * A round changes two of the eight working variables and renames the rest, so the variables are a
 * window that slides down an array by one a round: nothing is moved, and the round body exists
 * once. Every 16 rounds the window is brought back and the message schedule extended in place.
 */
#include "sha512.h"

#include "internal.h"
#include "util.h"

#define ROUNDS 80
#define CHUNK 16

const uint64_t bf_sha512_k[ROUNDS] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* The first 64 bits of the fractional parts of the square roots of the first 8 primes. */
static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

#ifndef BF_SHA512_ASSEMBLY

/* One half of a 64-bit rotation right by n: `a` is the half at that place before, `b` the other. */
BF_INLINE uint32_t half(uint32_t a, uint32_t b, int n) {
  return n < 32 ? a >> (n & 31) ^ b << (-n & 31) : b >> (n & 31) ^ a << (-n & 31);
}

/*
 * rotr(v, l) ^ rotr(v, m) ^ rotr(v, n), by halves: one EOR with a free shift a term. None of l, m,
 * n is 32.
 */
BF_INLINE uint64_t sigma(uint64_t v, int l, int m, int n) {
  uint32_t lo = (uint32_t)v, hi = (uint32_t)(v >> 32);
  uint32_t out_lo = half(lo, hi, l) ^ half(lo, hi, m) ^ half(lo, hi, n);
  uint32_t out_hi = half(hi, lo, l) ^ half(hi, lo, m) ^ half(hi, lo, n);
  return (uint64_t)out_hi << 32 | out_lo;
}

/* The same with a shift in place of the last rotation; n < 32. */
BF_INLINE uint64_t sigma_shift(uint64_t v, int l, int m, int n) {
  uint32_t lo = (uint32_t)v, hi = (uint32_t)(v >> 32);
  uint32_t out_lo = half(lo, hi, l) ^ half(lo, hi, m) ^ half(lo, hi, n);
  uint32_t out_hi = half(hi, lo, l) ^ half(hi, lo, m) ^ hi >> n;
  return (uint64_t)out_hi << 32 | out_lo;
}

/* Extends the schedule by 16 words in place. */
static void extend(uint64_t w[16]) {
  for (int i = 0; i < 16; i++) {
    w[i] += sigma_shift(w[(i + 1) & 15], 1, 8, 7) + w[(i + 9) & 15] +
            sigma_shift(w[(i + 14) & 15], 19, 61, 6);
  }
}

/* 16 rounds; v[16..23] is a..h before, v[0..7] after. */
static void rounds(uint64_t v[CHUNK + 8], const uint64_t w[CHUNK], const uint64_t *kt) {
  for (int i = 0; i < CHUNK; i++) {
    uint64_t *s = v + CHUNK - i;
    uint64_t e = s[4], a = s[0];
    uint64_t t = s[7] + kt[i] + w[i] + (s[6] ^ (e & (s[5] ^ s[6]))) + sigma(e, 14, 18, 41);
    s[3] += t;
    s[-1] = t + ((a & s[1]) | (s[2] & (a | s[1]))) + sigma(a, 28, 34, 39);
  }
}

void bf_sha512_compress(uint64_t h[8], const uint8_t *block) {
  struct {
    uint64_t w[CHUNK];
    uint64_t v[CHUNK + 8];
  } t;
  for (int i = 0; i < 8; i++) t.v[i] = h[i];
  for (int i = 0; i < CHUNK; i++) t.w[i] = bf_load_be64(block + 8 * i);
  for (int r = 0; r < ROUNDS; r += CHUNK) {
    if (r > 0) extend(t.w);
    for (int i = 0; i < 8; i++) t.v[CHUNK + i] = t.v[i];
    rounds(t.v, t.w, bf_sha512_k + r);
  }
  for (int i = 0; i < 8; i++) h[i] += t.v[i];
  bf_wipe(&t, sizeof t);
}

#endif

void bf_sha512_init(bf_sha512 *s) {
  bf_copy((uint8_t *)s->h, (const uint8_t *)initial, sizeof initial);
  s->bytes = 0;
}

void bf_sha512_update(bf_sha512 *s, const uint8_t *data, size_t len) {
  while (len > 0) {
    size_t used = s->bytes % BF_SHA512_BLOCK, n = BF_SHA512_BLOCK - used;
    if (n > len) n = len;
    bf_copy(s->block + used, data, n);
    s->bytes += n, data += n, len -= n;
    if (used + n == BF_SHA512_BLOCK) bf_sha512_compress(s->h, s->block);
  }
}

/*
 * Pads with 0x80, zeros and the length in bits as 128 bits (of which size_t can reach 35), which
 * takes a second block from 112 used bytes on.
 */
void bf_sha512_final(bf_sha512 *s, uint8_t digest[64]) {
  size_t used = s->bytes % BF_SHA512_BLOCK;
  bf_wipe(s->block + used, BF_SHA512_BLOCK - used);
  s->block[used] = 0x80;
  if (used >= BF_SHA512_BLOCK - 16) {
    bf_sha512_compress(s->h, s->block);
    bf_wipe(s->block, BF_SHA512_BLOCK);
  }
  bf_store_be64(s->block + BF_SHA512_BLOCK - 8, (uint64_t)s->bytes << 3);
  bf_sha512_compress(s->h, s->block);
  for (int i = 0; i < 8; i++) bf_store_be64(digest + 8 * i, s->h[i]);
  bf_wipe(s, sizeof *s);
}

void bf_sha512_once(uint8_t digest[64], const uint8_t *data, size_t len) {
  bf_sha512 s;
  bf_sha512_init(&s);
  bf_sha512_update(&s, data, len);
  bf_sha512_final(&s, digest);
}
