/* A box in parts: see box_stream.h; secretbox.c is the same in one. */
#include "box_stream.h"

#include "internal.h"
#include "secretbox.h"
#include "section.h"
#include "util.h"

static SECTION_SECRET struct {
  bf_salsa20 stream;
  uint32_t block[16]; /* keystream: first the key of the tag and the first part's */
} state;
static const uint8_t *next; /* ciphertext */
static bool first;

bool box_stream_open(const uint8_t *box, uint32_t length, const uint8_t nonce[24],
                     const uint8_t key[32]) {
  uint8_t tag[BF_BOX_TAG];
  bf_xsalsa20_init(&state.stream, nonce, key);
  bf_salsa20_next(state.block, &state.stream);
  bf_poly1305(tag, box + BF_BOX_TAG, length - BF_BOX_TAG, (const uint8_t *)state.block);
  next = box + BF_BOX_TAG;
  first = true;
  return bf_equal(tag, box, sizeof tag) != 0;
}

void box_stream_take(uint8_t *to, uint32_t bytes) {
  const uint8_t *key = (const uint8_t *)state.block + BOX_STREAM_FIRST;
  if (first)
    for (uint32_t i = 0; i < bytes; i++) to[i] = next[i] ^ key[i];
  else
    bf_salsa20_xor(&state.stream, to, next, bytes);
  first = false;
  next += bytes;
}

void box_stream_close(void) {
  bf_wipe(&state, sizeof state);
  bf_wipe_stack();
}
