/* HMAC-SHA-512 (RFC 2104; FIPS 198-1) and HKDF-Expand (RFC 5869 section 2.3), declared in sha512.h. */
#include "sha512.h"
#include "util.h"

#define IPAD 0x36
#define OPAD 0x5c

/* Starts a hash with the key block XOR pad. */
BF_NO_LIBC_CALLS static void start_padded(bf_sha512 *s, const uint8_t block[BF_SHA512_BLOCK], uint8_t pad) {
  uint8_t padded[BF_SHA512_BLOCK];
  for (int i = 0; i < BF_SHA512_BLOCK; i++) padded[i] = block[i] ^ pad;
  bf_sha512_init(s);
  bf_sha512_update(s, padded, sizeof padded);
  bf_wipe(padded, sizeof padded);
}

void bf_hmac_init(bf_hmac *h, const uint8_t *key, size_t key_len) {
  uint8_t block[BF_SHA512_BLOCK];
  bf_wipe(block, sizeof block);
  if (key_len > sizeof block) bf_sha512_once(block, key, key_len);
  else bf_copy(block, key, key_len);
  start_padded(&h->inner, block, IPAD);
  start_padded(&h->outer, block, OPAD);
  bf_wipe(block, sizeof block);
}

void bf_hmac_update(bf_hmac *h, const uint8_t *data, size_t len) {
  bf_sha512_update(&h->inner, data, len);
}

void bf_hmac_final(bf_hmac *h, uint8_t mac[64]) {
  uint8_t digest[BF_SHA512_BYTES];
  bf_sha512_final(&h->inner, digest);
  bf_sha512_update(&h->outer, digest, sizeof digest);
  bf_sha512_final(&h->outer, mac);
  bf_wipe(digest, sizeof digest);
  bf_wipe_stack();
}

static void update_parts(bf_hmac *h, const bf_part *parts, size_t count) {
  for (size_t i = 0; i < count; i++) bf_hmac_update(h, parts[i].data, parts[i].len);
}

void bf_hmac_parts(uint8_t mac[64], const uint8_t *key, size_t key_len, const bf_part *parts, size_t count) {
  bf_hmac h;
  bf_hmac_init(&h, key, key_len);
  update_parts(&h, parts, count);
  bf_hmac_final(&h, mac);
}

int bf_hkdf_expand(uint8_t *out, size_t len, const uint8_t *prk, size_t prk_len, const bf_part *info, size_t count) {
  bf_hmac h;
  uint8_t t[BF_SHA512_BYTES];
  if (len > 255 * sizeof t) return 1;
  size_t had = 0;
  for (uint8_t i = 1; len > 0; i++) {
    size_t n = len < sizeof t ? len : sizeof t;
    bf_hmac_init(&h, prk, prk_len);
    bf_hmac_update(&h, t, had);
    update_parts(&h, info, count);
    bf_hmac_update(&h, &i, 1);
    bf_hmac_final(&h, t);
    bf_copy(out, t, n);
    had = sizeof t;
    out += n, len -= n;
  }
  bf_wipe(t, sizeof t);
  return 0;
}
