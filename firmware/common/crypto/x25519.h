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

#endif
