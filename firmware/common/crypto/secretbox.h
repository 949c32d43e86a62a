/*
 * NaCl secretbox: XSalsa20-Poly1305 (Bernstein, "Cryptography in NaCl", sections 9 and 10), laid
 * out as tag(16) || ciphertext, the layout of tweetnacl-js. Constant time in everything but `len`.
 * Any alignment.
 */
#ifndef BF_CRYPTO_SECRETBOX_H
#define BF_CRYPTO_SECRETBOX_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

#define BF_BOX_TAG 16

/*
 * Opens box c of clen bytes into m, which takes clen - 16 bytes. Returns 0, or 1 when the box is
 * too short or was not sealed under this key and nonce; m is then untouched. The tag is verified
 * before the first byte is decrypted. m may overlap c when m <= c + 16: in place (m = c + 16), or
 * moved down (m = c).
 */
BF_PRIMITIVE int bf_secretbox_open(uint8_t *m, const uint8_t *c, size_t clen,
                                   const uint8_t nonce[24], const uint8_t key[32]);

/*
 * Seals m of mlen bytes into c, which takes mlen + 16 bytes. A nonce must never be used twice under
 * one key. c may overlap m when c + 16 <= m (in place: m = c + 16); it must not begin at m.
 */
BF_PRIMITIVE void bf_secretbox_seal(uint8_t *c, const uint8_t *m, size_t mlen,
                                    const uint8_t nonce[24], const uint8_t key[32]);

#endif
