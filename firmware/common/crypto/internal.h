/*
 * Parts of the primitives that are not for the stub's other files: between the files here, and for
 * tests.
 */
#ifndef BF_CRYPTO_INTERNAL_H
#define BF_CRYPTO_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

/*
 * Salsa20 input block (Salsa20 specification section 10): constants, key, then nonce and counter in
 * `x[6..9]`.
 */
typedef struct {
  uint32_t x[16];
} bf_salsa20;

/*
 * Sets constants, 32-byte key and the 16 bytes of words 6..9 (nonce(8) || block counter(8), or
 * HSalsa20 input).
 */
BF_PRIMITIVE void bf_salsa20_init(bf_salsa20 *s, const uint8_t key[32], const uint8_t in[16]);

/* out = 20 rounds over in, without the feed-forward. */
BF_PRIMITIVE void bf_salsa20_rounds(uint32_t out[16], const uint32_t in[16]);

/*
 * block = the next 64 bytes of keystream as 16 little-endian words; then counts the block (64-bit
 * counter).
 */
BF_PRIMITIVE void bf_salsa20_next(uint32_t block[16], bf_salsa20 *s);

/*
 * m = c XOR keystream from the block boundary `s` stands at; m may lie at c or anywhere below it.
 */
BF_PRIMITIVE void bf_salsa20_xor(bf_salsa20 *s, uint8_t *m, const uint8_t *c, size_t len);

/* HSalsa20 (Bernstein, "Extending the Salsa20 nonce", section 2). */
BF_PRIMITIVE void bf_hsalsa20(uint8_t out[32], const uint8_t in[16], const uint8_t key[32]);

/*
 * XSalsa20: subkey by HSalsa20 of the first 16 nonce bytes, then Salsa20 with the last 8, at block
 * 0.
 */
BF_PRIMITIVE void bf_xsalsa20_init(bf_salsa20 *s, const uint8_t nonce[24], const uint8_t key[32]);

/* Poly1305 one-time authenticator: key = r(16) || s(16). */
BF_PRIMITIVE void bf_poly1305(uint8_t tag[16], const uint8_t *m, size_t len, const uint8_t key[32]);

typedef struct {
  uint32_t q[4]; /* 5 * (r[i] >> 2) */
  uint32_t r[4];
  uint32_t h[5];     /* h[4] holds what the last product left at 2^128 and above, below 2^31 */
  uint32_t spare[5]; /* the last, short block; then h + 5 */
} bf_poly1305_state;

/*
 * h = (h + m + top * 2^128) * r for `blocks` blocks of 16 bytes. In assembly (poly1305_m4.c) on a
 * core with UMAAL, unless BF_POLY1305_TWIN.
 */
void bf_poly1305_blocks(bf_poly1305_state *p, const uint8_t *m, size_t blocks, uint32_t top);
#if defined(__ARM_FEATURE_DSP) && !defined(BF_POLY1305_TWIN)
#define BF_POLY1305_ASSEMBLY 1
#endif

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
extern const uint64_t bf_sha512_k[80];

/*
 * h = the state after a block of 128 bytes. In assembly (sha512_m4.c) on a core with UMAAL, unless
 * BF_SHA512_TWIN; in C elsewhere.
 */
void bf_sha512_compress(uint64_t h[8], const uint8_t *block);

/* The same for what is no key: faster where the other shows little of itself in registers. */
#ifdef BF_SPARSE
void bf_sha512_compress_open(uint64_t h[8], const uint8_t *block);
#else
#define bf_sha512_compress_open bf_sha512_compress
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(BF_SHA512_TWIN)
#define BF_SHA512_ASSEMBLY 1
#endif

/* Field element modulo 2^255 - 19: eight limbs, least significant first, any value below 2^256. */
typedef uint32_t fe[8];

#ifdef BF_EXPOSE_INTERNALS
void fe_invert(fe r, const fe a);
void fe_freeze(fe r, fe t);
#endif

#endif
