/*
 * SHA-512 (FIPS 180-4), HMAC-SHA-512 (RFC 2104) and HKDF-SHA-512 (RFC 5869). Inputs of any length
 * and alignment; time depends on lengths only. The `final` calls wipe their state.
 */
#ifndef BF_CRYPTO_SHA512_H
#define BF_CRYPTO_SHA512_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

#define BF_SHA512_BYTES 64
#define BF_SHA512_BLOCK 128

/* A hash in progress. The caller's memory; no field is for the caller. */
typedef struct {
  uint64_t h[8];
  size_t bytes; /* hashed so far */
  uint8_t block[BF_SHA512_BLOCK];
} bf_sha512;

BF_PRIMITIVE void bf_sha512_init(bf_sha512 *s);
BF_PRIMITIVE void bf_sha512_update(bf_sha512 *s, const uint8_t *data, size_t len);
BF_PRIMITIVE void bf_sha512_final(bf_sha512 *s, uint8_t digest[64]);

/* digest = SHA-512(data); digest may lie in data. */
BF_PRIMITIVE void bf_sha512_once(uint8_t digest[64], const uint8_t *data, size_t len);

/*
 * One string of a concatenation that is hashed without being put together. `data` may be NULL when
 * len is 0.
 */
typedef struct {
  const uint8_t *data;
  size_t len;
} bf_part;

/* mac = HMAC-SHA-512(key, parts[0] || parts[1] || ...); mac may lie in a part, not in the key. */
BF_PRIMITIVE void bf_hmac_parts(uint8_t mac[64], const uint8_t *key, size_t key_len,
                                const bf_part *parts, size_t count);

/*
 * out = HKDF-Expand(prk, parts[0] || parts[1] || ..., len), RFC 5869 section 2.3, its first block
 * only: that is all the protocol asks for. Returns 0, or 1 with nothing written when len is more
 * than 64 or count more than BF_HKDF_PARTS. `out` must not overlap the inputs. HKDF-Extract is
 * bf_hmac_parts(prk, salt, ikm).
 */
#define BF_HKDF_PARTS 5
BF_PRIMITIVE int bf_hkdf_expand(uint8_t *out, size_t len, const uint8_t *prk, size_t prk_len,
                                const bf_part *info, size_t count);

#endif
