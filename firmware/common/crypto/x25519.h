/* X25519 (RFC 7748 section 5): Diffie-Hellman on Curve25519. Constant time for every input. */
#ifndef BF_CRYPTO_X25519_H
#define BF_CRYPTO_X25519_H

#include <stdint.h>

#include "util.h"

/*
 * out = X25519(scalar, u), all 32 bytes little endian, any alignment; `out` may be either input.
 * Clamps the scalar inside, ignores bit 255 of u, accepts non-canonical u. Returns 0, or 1 when the
 * result is all zero (u of low order): the caller must then abandon the handshake.
 */
BF_PRIMITIVE int bf_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t u[32]);

/* out = X25519(scalar, 9): the public key of `scalar`. `out` may be `scalar`. */
BF_PRIMITIVE void bf_x25519_base(uint8_t out[32], const uint8_t scalar[32]);

#ifdef BF_X25519_BLINDED
/*
 * The same for a key that is used again and again where an attacker may see some words of the
 * computation at an instant of his choice: the scalar is d + r * 8 l, r of 128 bits, and the
 * coordinates are projective with a random Z. Each word of d is read once, in an order by chance,
 * and added to what is blinded already. `noise` is r (16 bytes), Z (32), the order (8); never use
 * it again.
 * For u on the curve, as all honest ones are, the result is that of bf_x25519(); for one on its
 * twist it is another.
 */
#define BF_X25519_NOISE 56
BF_PRIMITIVE int bf_x25519_blinded(uint8_t out[32], const uint32_t scalar[8], const uint8_t u[32],
                                   const uint8_t noise[BF_X25519_NOISE]);
#endif

#endif
