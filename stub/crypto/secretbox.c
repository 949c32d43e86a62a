/* NaCl secretbox: the first 32 bytes of keystream are the Poly1305 key, the rest encrypts. See secretbox.h. */
#include "secretbox.h"

#include "internal.h"
#include "util.h"

#define POLY_KEY_WORDS 8
#define FIRST_BYTES 32 /* what the first keystream block has left for the message */

typedef struct {
  bf_salsa20 stream;
  uint32_t first[16]; /* keystream block 0: Poly1305 key, then the first message bytes' keystream */
  uint8_t poly_key[32];
  uint8_t tag[16];
} box_state;

static void box_begin(box_state *b, const uint8_t nonce[24], const uint8_t key[32]) {
  bf_xsalsa20_init(&b->stream, nonce, key);
  bf_salsa20_next(b->first, &b->stream);
  for (int i = 0; i < POLY_KEY_WORDS; i++) bf_store_le32(b->poly_key + 4 * i, b->first[i]);
}

/* to = from XOR keystream behind the Poly1305 key; upwards, so `to` may lie at or below `from`. */
static void box_xor(box_state *b, uint8_t *to, const uint8_t *from, size_t len) {
  size_t n = len < FIRST_BYTES ? len : FIRST_BYTES;
  bf_xor_words(to, from, b->first + POLY_KEY_WORDS, n);
  bf_salsa20_xor(&b->stream, to + n, from + n, len - n);
}

static void box_end(box_state *b) {
  bf_wipe(b, sizeof *b);
  bf_wipe_stack();
}

int bf_secretbox_open(uint8_t *m, const uint8_t *c, size_t clen, const uint8_t nonce[24], const uint8_t key[32]) {
  box_state b;
  if (clen < BF_BOX_TAG) return 1;
  size_t len = clen - BF_BOX_TAG;
  box_begin(&b, nonce, key);
  bf_poly1305(b.tag, c + BF_BOX_TAG, len, b.poly_key);
  int good = bf_equal(b.tag, c, BF_BOX_TAG);
  if (good) box_xor(&b, m, c + BF_BOX_TAG, len);
  box_end(&b);
  return 1 - good;
}

void bf_secretbox_seal(uint8_t *c, const uint8_t *m, size_t mlen, const uint8_t nonce[24], const uint8_t key[32]) {
  box_state b;
  box_begin(&b, nonce, key);
  box_xor(&b, c + BF_BOX_TAG, m, mlen);
  bf_poly1305(c, c + BF_BOX_TAG, mlen, b.poly_key);
  box_end(&b);
}
