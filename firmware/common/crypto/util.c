/* Wipe, compare and copy: see util.h. */
#include "util.h"

#include "umaal.h"

void bf_wipe(void *p, size_t len) {
  volatile uint8_t *b = p, *end = b + len;
  while (end - b >= 4) {
    *(volatile bf_word_anywhere *)b = 0;
    b += 4;
  }
  while (b != end) *b++ = 0;
}

BF_NOINLINE void bf_wipe_stack(void) {
  uint32_t dead[BF_STACK_BURN / 4];
  bf_wipe(dead, sizeof dead);
}

int bf_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  uint32_t diff = 0;
  for (size_t i = 0; i < len; i++) diff |= (uint32_t)(a[i] ^ b[i]);
  return (int)((bf_opaque(diff) - 1u) >> 31);
}

void bf_copy(uint8_t *dst, const uint8_t *src, size_t len) {
  const uint8_t *end = src + len;
  while (end - src >= 4) {
    bf_store_le32(dst, bf_load_le32(src));
    dst += 4;
    src += 4;
  }
  while (src != end) *dst++ = *src++;
}

void bf_add_small(uint32_t *out, const uint32_t *in, size_t limbs, uint32_t add) {
  for (; limbs > 0; limbs--) {
    uint32_t limb = *in++;
    umaal(&limb, &add, 0, 0);
    *out++ = limb;
  }
}
