/*
 * NaCl secretbox: the first 32 bytes of keystream are the Poly1305 key, the rest encrypts. See
 * secretbox.h.
 */
#include "secretbox.h"

#include "internal.h"
#include "util.h"

#define KEY_BYTES 32

typedef struct {
  bf_salsa20 stream;
  uint32_t first[16]; /* keystream block 0: Poly1305 key, then the first message bytes' keystream */
  uint8_t tag[16];
} box_state;

static void box_begin(box_state *b, const uint8_t nonce[24], const uint8_t key[32]) {
  bf_xsalsa20_init(&b->stream, nonce, key);
  bf_salsa20_next(b->first, &b->stream);
}

static void authenticate(uint8_t tag[16], const box_state *b, const uint8_t *c, size_t len) {
  bf_poly1305(tag, c, len, (const uint8_t *)b->first);
}

/* to = from XOR keystream behind the Poly1305 key; upwards, so `to` may lie at or below `from`. */
BF_NOINLINE static void box_xor(box_state *b, uint8_t *to, const uint8_t *from, size_t len) {
  const uint8_t *stream = (const uint8_t *)b->first;
  for (size_t i = KEY_BYTES; i < sizeof b->first && len > 0; i++, len--)
    *to++ = *from++ ^ stream[i];
  bf_salsa20_xor(&b->stream, to, from, len);
}

BF_NOINLINE static void box_end(box_state *b) {
  bf_wipe(b, sizeof *b);
  bf_wipe_stack();
}

int bf_secretbox_open(uint8_t *m, const uint8_t *c, size_t clen, const uint8_t nonce[24],
                      const uint8_t key[32]) {
  box_state b;
  if (clen < BF_BOX_TAG) return 1;
  size_t len = clen - BF_BOX_TAG;
  box_begin(&b, nonce, key);
  authenticate(b.tag, &b, c + BF_BOX_TAG, len);
  int good = bf_equal(b.tag, c, BF_BOX_TAG);
  if (good) box_xor(&b, m, c + BF_BOX_TAG, len);
  box_end(&b);
  return 1 - good;
}

void bf_secretbox_seal(uint8_t *c, const uint8_t *m, size_t mlen, const uint8_t nonce[24],
                       const uint8_t key[32]) {
  box_state b;
  box_begin(&b, nonce, key);
  box_xor(&b, c + BF_BOX_TAG, m, mlen);
  authenticate(c, &b, c + BF_BOX_TAG, mlen);
  box_end(&b);
}
