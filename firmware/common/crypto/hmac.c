/*
 * HMAC-SHA-512 (RFC 2104; FIPS 198-1) and HKDF-Expand (RFC 5869 section 2.3), declared in sha512.h.
 */
#include "sha512.h"
#include "util.h"

#define IPAD 0x36
#define OPAD 0x5c

/* Starts a hash with the key block XOR pad. */
static void begin(bf_sha512 *s, const uint8_t *key, size_t key_len, uint8_t pad) {
  uint8_t block[BF_SHA512_BLOCK];
  bf_wipe(block, sizeof block);
  if (key_len > sizeof block)
    bf_sha512_once(block, key, key_len);
  else
    bf_copy(block, key, key_len);
  for (size_t i = 0; i < sizeof block; i++) block[i] ^= pad;
  bf_sha512_init(s);
  bf_sha512_update(s, block, sizeof block);
  bf_wipe(block, sizeof block);
}

void bf_hmac_parts(uint8_t mac[64], const uint8_t *key, size_t key_len, const bf_part *parts,
                   size_t count) {
  bf_sha512 s;
  begin(&s, key, key_len, IPAD);
  for (; count > 0; count--, parts++) bf_sha512_update(&s, parts->data, parts->len);
  bf_sha512_final(&s, mac);
  begin(&s, key, key_len, OPAD);
  bf_sha512_update(&s, mac, BF_SHA512_BYTES);
  bf_sha512_final(&s, mac);
  bf_wipe_stack();
}

int bf_hkdf_expand(uint8_t *out, size_t len, const uint8_t *prk, size_t prk_len,
                   const bf_part *info, size_t count) {
  static const uint8_t first = 1;
  uint8_t t[BF_SHA512_BYTES];
  bf_part parts[BF_HKDF_PARTS + 1];
  if (len > sizeof t || count > BF_HKDF_PARTS) return 1;
  bf_copy((uint8_t *)parts, (const uint8_t *)info, count * sizeof *info);
  parts[count].data = &first;
  parts[count].len = 1;
  bf_hmac_parts(t, prk, prk_len, parts, count + 1);
  bf_copy(out, t, len);
  bf_wipe(t, sizeof t);
  return 0;
}
